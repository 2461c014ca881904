import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { writeStun } from "@parley/domain-media-control";
import { HostileStage, type HonestPeer } from "../hostile-stage.ts";
import { boundSocket, flood, UdpRelay } from "../udp-relay.ts";

// The media port: strangers, and somebody on the road of an honest client's packets.

const invented = "abcdefghijklmnopqrstuvw";

function check(username: string, password: string, nominate = true): Uint8Array {
  return writeStun(
    {
      class: "request",
      transactionId: randomBytes(12),
      username,
      priority: 0x6e0001ff,
      useCandidate: nominate,
      iceControlling: 1n,
    },
    password,
  );
}

const usernameOf = ({ local, remote }: HonestPeer) => `${remote.ufrag}:${local.ufrag}`;

/** A DTLS 1.2 record (RFC 6347 4.1) of the type. */
function record(type: number, epoch: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(0xfefd, 1);
  head.writeUInt16BE(epoch, 3);
  head.writeUIntBE(randomInt(2 ** 32), 5, 6);
  head.writeUInt16BE(body.length, 11);
  return Buffer.concat([head, body]);
}

/** A fragment of a ClientHello that claims to be 60 kB long (RFC 6347 4.2.2). */
function fragment(offset: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(1, 0);
  head.writeUIntBE(60_000, 1, 3);
  head.writeUInt16BE(0, 4);
  head.writeUIntBE(offset, 6, 3);
  head.writeUIntBE(100, 9, 3);
  return record(22, 0, Buffer.concat([head, Buffer.alloc(100)]));
}

function flipped(packet: Buffer): Buffer {
  const copy = Buffer.from(packet);
  const at = randomInt(2, copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << randomInt(8));
  return copy;
}

const isMedia = (packet: Buffer) => (packet[0] ?? 0) >= 128 && (packet[0] ?? 0) <= 191;

test(
  "[MED-4] strangers at the media port: floods, forged and replayed checks, garbage, lies in TCP",
  { timeout: 90_000 },
  async (t) => {
    const relays: UdpRelay[] = [];
    t.after(() => {
      for (const relay of relays) relay.close();
    });
    await using stage = await HostileStage.start({
      relay: async (_kind, remote) => {
        const relay = await UdpRelay.start(remote);
        relays.push(relay);
        return relay.port;
      },
    });
    const { mediaPort } = stage.server;
    const before = await stage.resources();
    const [publisherRelay, viewerRelay] = relays;
    const [victim] = stage.viewers;
    const publisher = stage.publisher;
    assert.ok(
      victim !== undefined && publisher !== undefined && viewerRelay !== undefined && publisherRelay !== undefined,
    );
    const stranger = await boundSocket();
    t.after(() => stranger.close());
    let taken = 0;
    stranger.on("message", (packet) => {
      if (isMedia(packet)) taken += 1;
    });

    await t.test("lies in the framing of TCP", async () => {
      await stage.during(async () => {
        const open = (bytes: Uint8Array): Promise<unknown> => {
          const socket = connect(mediaPort, "127.0.0.1");
          socket.on("error", () => undefined);
          t.after(() => socket.destroy());
          socket.resume();
          socket.write(bytes);
          return new Promise((resolve) => socket.once("close", () => resolve("closed")));
        };
        const [overheard] = viewerRelay.checks;
        assert.ok(overheard !== undefined);
        const framed = Buffer.concat([Uint8Array.of(overheard.length >> 8, overheard.length & 0xff), overheard]);
        const liars: Promise<unknown>[] = [];
        for (let index = 0; index < 4; index += 1) {
          liars.push(open(Uint8Array.of(0xff, 0xff, 1, 2, 3)));
          // These are closed when nothing genuine has come for 10 s, which the end looks at.
          void open(new Uint8Array(200_000));
          void open(Uint8Array.of(0x05));
          // Nothing but a valid check of somebody else, said again over TCP.
          void open(framed);
        }
        assert.notEqual(await Promise.race([Promise.all(liars), wait(5_000, "late")]), "late");
        await wait(500);
      });
      assert.equal(taken, 0);
    });

    await t.test("100,000 invented ufrags", async () => {
      await stage.during(async () => {
        // Without its FINGERPRINT, which would have to be worked out for each.
        const template = Buffer.from(check(`${invented}:client`, "password".repeat(3))).subarray(0, -8);
        template.writeUInt16BE(template.length - 20, 2);
        const at = template.indexOf(invented);
        await flood(stranger, mediaPort, 100_000, (index) => {
          const copy = Buffer.from(template);
          copy.write(index.toString(36).padStart(6, "z"), at);
          return copy;
        });
        await wait(200);
      });
      // Some are lost on the way in: the kernel's queue is as long as it is.
      const forged = await stage.grown("parley_media_forged_ufrags_total");
      assert.ok(forged > 20_000, `${forged} were seen`);
      assert.equal(await stage.grown("parley_media_unknown_ufrags_total"), 0, "none of them reached JavaScript");
    });

    await t.test("a viewer's genuine ufrag with a wrong password, from another address", async () => {
      await stage.during(async () => {
        for (const peer of [victim, publisher]) {
          await flood(stranger, mediaPort, 5_000, () => check(usernameOf(peer), "wrong password wrong passw"));
        }
        // As if it came from the viewer's own address.
        for (let index = 0; index < 200; index += 1) viewerRelay.inject(check(usernameOf(victim), "wrong"));
        await wait(500);
      });
      assert.equal(taken, 0, "no media went to the stranger");
    });

    await t.test("somebody joins while a genuine ufrag is flooded", async () => {
      await stage.during(async () => {
        let flooding = true;
        const flooded = (async () => {
          const datagram = check(usernameOf(victim), "wrong password wrong passw");
          while (flooding) await flood(stranger, mediaPort, 1_000, () => datagram);
        })();
        await wait(300);
        try {
          const startedMs = performance.now();
          const viewer = await stage.joinViewer();
          const tookMs = performance.now() - startedMs;
          stage.client.remove(viewer.id);
          assert.ok(tookMs < 1_500, `the join took ${Math.round(tookMs)} ms`);
        } finally {
          flooding = false;
          await flooded;
        }
      }, false);
    });

    await t.test("a valid check that was overheard, said again from another address", async () => {
      await stage.during(async () => {
        for (const relay of relays) {
          for (const overheard of relay.checks) {
            for (let times = 0; times < 3; times += 1) stranger.send(overheard, mediaPort, "127.0.0.1");
          }
        }
        await wait(1_000);
      });
      assert.equal(taken, 0, "no media went to the stranger");
    });

    await t.test("garbage, DTLS from strangers, and DTLS as if from the viewer", async () => {
      await stage.during(async () => {
        await flood(stranger, mediaPort, 20_000, () => randomBytes(randomInt(1, 1_400)));
        await flood(stranger, mediaPort, 5_000, (index) => fragment((index % 600) * 100));
        for (const hello of viewerRelay.handshake) stranger.send(hello, mediaPort, "127.0.0.1");
        for (let index = 0; index < 3_000; index += 1) {
          viewerRelay.inject(fragment((index % 600) * 100));
          viewerRelay.inject(record(randomInt(20, 26), randomInt(2), randomBytes(60)));
          if (index % 100 === 0) await wait(5);
        }
        // A fatal alert and close_notify in the clear, and the viewer's own handshake once more.
        viewerRelay.inject(record(21, 0, Uint8Array.of(2, 40)));
        viewerRelay.inject(record(21, 0, Uint8Array.of(1, 0)));
        for (const hello of [...viewerRelay.handshake]) viewerRelay.inject(hello);
        await wait(300);
      });
      // How much of a flood the kernel hands over depends on what else the machine does.
      assert.ok((await stage.grown("parley_media_strangers_total")) > 500);
    });

    await t.test("SRTP and SRTCP said twice, and with a bit flipped", async () => {
      const twice = (packet: Buffer): Buffer[] => (isMedia(packet) ? [packet, packet, flipped(packet)] : [packet]);
      const kept: Buffer[] = [];
      let snapshot;
      try {
        snapshot = await stage.during(async () => {
          for (const relay of relays) relay.onToServer = twice;
          publisherRelay.onToServer = (packet) => {
            if (isMedia(packet) && kept.length < 500) kept.push(packet);
            return twice(packet);
          };
          await wait(1_500);
          for (const packet of kept) publisherRelay.inject(packet);
          for (let index = 0; index < 2_000; index += 1) {
            const garbage = randomBytes(randomInt(12, 200));
            garbage[0] = 0x80 | (randomInt(64) & 0x3f);
            publisherRelay.inject(garbage);
            viewerRelay.inject(garbage);
            if (index % 100 === 0) await wait(5);
          }
        });
      } finally {
        for (const relay of relays) relay.onToServer = (packet) => [packet];
      }
      assert.equal(snapshot.duplicates, 0, "nothing was forwarded twice");
      assert.ok((await stage.grown("parley_media_replayed_total")) > 500);
      assert.ok((await stage.grown("parley_media_unauthenticated_total")) > 500);
    });

    await t.test("afterwards", async () => {
      await stage.untilResourcesAreBack(before);
      await stage.during(async () => undefined);
      stage.noErrors();
    });
  },
);
