import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { errorNumber, Source, type ErrorName } from "@parley/protocol";
import { until } from "@parley/testing";
import { WebSocket } from "ws";
import { honestRoom, honestStream, HostileStage } from "../hostile-stage.ts";
import { HostileClient, type Method } from "../hostile-client.ts";

// Too much, too large, too slow: refused by number, while others' media is measured.

/** A raw TCP client that counts how it ends. */
function raw(port: number, first: string | Uint8Array, tally: { closed: number }): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  // What is read shows the end of the other side; ours stays open.
  socket.resume();
  let ended = false;
  const end = (): void => {
    if (!ended) tally.closed += 1;
    ended = true;
  };
  socket.once("end", end);
  socket.once("close", end);
  if (first.length > 0) socket.write(first);
  return socket;
}

async function problem(response: Response): Promise<number> {
  return (JSON.parse(await response.text()) as { number: number }).number;
}

const linesOf = (offer: string, extra: readonly string[]) => `${offer}${extra.join("\r\n")}\r\n`;
const received = [{ mid: "1", use: { case: "receive" as const, value: {} } }];
const opening = (offerSdp: string): Method => ({
  case: "openSession",
  value: { session: "sub", offerSdp, sections: received },
});

test(
  "[SIG-2] sizes, floods and slow clients: numbered refusals, and nothing is left of them",
  { timeout: 90_000 },
  async (t) => {
    await using stage = await HostileStage.start();
    const { url, httpPort, mediaPort } = stage.server;
    const before = await stage.resources();
    const sockets: Socket[] = [];
    const idle: Socket[] = [];
    // These sit there for the whole test, and are looked at in the end.
    const loris = {
      idle: { closed: 0 },
      headers: { closed: 0 },
      bodies: { closed: 0 },
      upgrades: { closed: 0 },
      silent: { closed: 0 },
      tcp: { closed: 0 },
    };
    const upgrade =
      `GET /v1/connect HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: parley.v1.proto\r\n`;
    const count = 40;
    for (let index = 0; index < count; index += 1) {
      sockets.push(
        raw(httpPort, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", loris.headers),
        raw(
          httpPort,
          `POST /v1/whip/r HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nContent-Length: 5000\r\n\r\nv=0`,
          loris.bodies,
        ),
        raw(httpPort, upgrade, loris.upgrades),
        raw(httpPort, `${upgrade}\r\n`, loris.silent),
        raw(mediaPort, "", loris.tcp),
      );
    }
    for (let index = 0; index < count; index += 1) idle.push(raw(httpPort, "", loris.idle));
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable && !socket.destroyed) socket.write("a");
    }, 2_000);
    t.after(() => {
      clearInterval(drip);
      for (const socket of sockets) socket.destroy();
    });

    await t.test("frames, bodies and descriptions that are too large", async () => {
      await stage.during(async () => {
        for (const authenticated of [false, true]) {
          const client = authenticated
            ? await HostileClient.knock(url, stage.token())
            : await HostileClient.socket(url);
          client.raw(new Uint8Array(1 << 20));
          assert.equal(await client.closed(), 4002);
          assert.equal(client.disconnect?.error?.number, errorNumber("frame-too-large"));
          const larger = authenticated
            ? await HostileClient.knock(url, stage.token())
            : await HostileClient.socket(url);
          larger.raw(new Uint8Array(3 << 20));
          assert.equal(await larger.closed(), 1009);
        }
        const deep: [string, Uint8Array | string][] = [
          ["groups in groups", new Uint8Array(200_000).fill(0x0b)],
          ["a message that says it is longer than it is", new Uint8Array([0x1a, 0xff, 0xff, 0xff, 0x7f])],
          ["text where bytes belong", "{}"],
        ];
        for (const [what, bytes] of deep) {
          const client = await HostileClient.knock(url, stage.token());
          client.raw(bytes);
          await client.closed();
          assert.equal(client.disconnect?.error?.number, errorNumber("bad-frame"), what);
        }
        const whip = (body: string) => stage.post(`/v1/whip/${honestRoom}?stream=mine`, stage.token(), body);
        const offer = stage.offer(true);
        const descriptions: [string, string, ErrorName, ErrorName][] = [
          ["1 MB", linesOf(offer, [`a=x:${"y".repeat(1 << 20)}`]), "payload-too-large", "payload-too-large"],
          ["10,000 lines", linesOf(offer, Array<string>(10_000).fill("a=x")), "sdp-malformed", "sdp-malformed"],
          ["one line of 60 kB", linesOf(offer, [`a=x:${"y".repeat(60_000)}`]), "sdp-malformed", "sdp-malformed"],
          [
            "300 sections",
            linesOf(
              offer,
              Array.from({ length: 300 }, (_, mid) => `m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:x${mid}`),
            ),
            "too-many-media-sections",
            "too-many-media-sections",
          ],
          [
            "two sections of one mid",
            linesOf(offer, ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0"]),
            "bad-request",
            "sdp-malformed",
          ],
        ];
        const member = await HostileClient.knock(url, stage.token());
        assert.equal((await member.request("pit", { case: "join", value: {} })).number, 0);
        for (const [what, sdp, overHttp, overSocket] of descriptions) {
          const response = await whip(sdp);
          assert.ok(response.status >= 400 && response.status < 500, what);
          assert.equal(await problem(response), errorNumber(overHttp), `${what} over WHIP`);
          // The gateway's frames are smaller than 1 MB in any case.
          if (sdp.length < 250_000) {
            assert.equal(
              (await member.request("pit", opening(sdp))).number,
              errorNumber(overSocket),
              `${what} over the gateway`,
            );
          }
        }
        const thousands = Array.from({ length: 3_000 }, (_, index) => [
          `a=ssrc:${index} cname:a`,
          `a=extmap:${index % 255} u:${index}`,
        ]);
        const duplicates = linesOf(stage.offer(false), thousands.flat());
        const answered = await member.request("pit", opening(duplicates));
        assert.ok(
          [0, errorNumber("sdp-malformed")].includes(answered.number),
          `duplicate attributes: ${answered.number}`,
        );
        member.end();
      });
    });

    await t.test("floods of joins and requests", async () => {
      await stage.during(async () => {
        const token = stage.token({ sub: "flooder" });
        const numbers = new Map<number, number>();
        const offer = stage.offer(false);
        await Promise.all(
          Array.from({ length: 300 }, async () => {
            const response = await stage.post(`/v1/whep/${honestRoom}/${honestStream}`, token, offer);
            const number = response.status === 201 ? 0 : await problem(response);
            if (number !== 0) assert.ok(Number(response.headers.get("retry-after")) > 0);
            const location = response.headers.get("location");
            numbers.set(number, (numbers.get(number) ?? 0) + 1);
            if (location === null) return;
            await response.arrayBuffer();
            await stage.http("DELETE", location, token);
          }),
        );
        assert.deepEqual(
          [...numbers.keys()].toSorted((a, b) => a - b),
          [0, errorNumber("rate-limited")],
          JSON.stringify([...numbers]),
        );
        assert.ok((numbers.get(errorNumber("rate-limited")) ?? 0) >= 50);

        const clients = await Promise.all(Array.from({ length: 25 }, () => HostileClient.knock(url, token)));
        const refused = clients.filter(
          ({ disconnect }) => disconnect?.error?.number === errorNumber("too-many-connections"),
        );
        assert.equal(refused.length, 5);
        const good = clients.filter(({ connected }) => connected !== undefined);
        // Each joins and leaves as fast as it can, then asks without end.
        for (const client of good) {
          for (let index = 0; index < 60; index += 1) {
            client.ask(`room ${index % 7}`, { case: "join", value: { name: "x".repeat(128) } });
            client.ask(`room ${index % 7}`, { case: "leave", value: {} });
          }
        }
        for (const client of good)
          await until(() => client.replies.length === 120, { what: "all are answered", deadlineMs: 10_000 });
        const limited = good
          .flatMap(({ replies }) => replies)
          .filter(({ number }) => number === errorNumber("rate-limited"));
        assert.ok(limited.length > 20 * 120 - 800, `${limited.length} refused of ${20 * 120}`);
        const [loud] = good;
        for (let index = 0; index < 500; index += 1) loud?.ask("room 1", { case: "getSnapshot", value: {} });
        assert.equal(await loud?.closed(), 4001, "who does not listen is sent away");
        assert.equal(loud?.disconnect?.error?.number, errorNumber("rate-limited"));
        for (const client of clients) client.end();
      });
    });

    await t.test("clients that do not read", async () => {
      await stage.during(async () => {
        const deaf = await HostileClient.knock(url, stage.token({ sub: "deaf" }));
        deaf.ws.pause();
        const pings = await HostileClient.knock(url, stage.token({ sub: "pings" }));
        pings.ws.pause();
        for (let index = 0; index < 40; index += 1) {
          const method = { case: "echo" as const, value: { payload: new Uint8Array(200_000) } };
          deaf.send({ frame: { case: "request", value: { id: BigInt(index + 1), method } } });
        }
        for (let index = 0; index < 20_000; index += 1) {
          if (pings.ws.readyState === WebSocket.OPEN) pings.ws.ping("x".repeat(100));
        }
        // Pages that are asked for again and again on one connection, without reading.
        const glutton = connect(httpPort, "127.0.0.1");
        glutton.on("error", () => undefined);
        glutton.pause();
        sockets.push(glutton);
        glutton.write("GET /page/style.css HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500));
        await until(async () => ((await stage.metrics()).get("parley_gateway_sockets") ?? 99) <= 1, {
          what: "the deaf are cut off",
          deadlineMs: 8_000,
          intervalMs: 200,
        });
        deaf.end();
        pings.end();
      });
      const { memoryMb } = await stage.resources();
      assert.ok(memoryMb < before.memoryMb + 200, `${before.memoryMb} MB before, ${memoryMb} MB now`);
    });

    await t.test("a member of the same room with a good token who floods it", async () => {
      await stage.during(async () => {
        const token = stage.token({ sub: "mallory", room: honestRoom });
        const member = await HostileClient.knock(url, token);
        const witness = await HostileClient.knock(url, stage.token({ sub: "witness", room: honestRoom }));
        assert.equal((await witness.request(honestRoom, { case: "join", value: {} })).number, 0);
        for (const [name, number] of [
          ["x".repeat(10_000), errorNumber("bad-id")],
          ["a\u0000b", errorNumber("bad-id")],
        ] as const) {
          assert.equal((await member.request(honestRoom, { case: "join", value: { name } })).number, number);
        }
        const joined = await member.request(honestRoom, { case: "join", value: { name: "‮gnp.exe 👩‍👩‍👧‍👦" } });
        assert.ok(joined.response?.result.case === "joined");
        const { snapshot } = joined.response.result.value;
        const victim = snapshot?.streams.find(({ name }) => name === honestStream);
        assert.ok(victim !== undefined);
        const eventsBefore = witness.events.length;
        const startedMs = performance.now();
        for (let index = 0; index < 40; index += 1) {
          member.ask(honestRoom, {
            case: "sendData",
            value: { payload: new Uint8Array(15_000), topic: "t", reliable: true },
          });
          member.ask(honestRoom, { case: "updateSelf", value: { attributes: { [`k${index}`]: "x".repeat(500) } } });
          member.ask(honestRoom, { case: "updateSelf", value: { name: `name ${index}` } });
        }
        await until(() => member.replies.length >= 122, { what: "all are answered", deadlineMs: 10_000 });
        const limited = member.replies.filter(({ number }) => number === errorNumber("rate-limited")).length;
        assert.ok(limited >= 10, `${limited} were refused`);
        assert.ok(member.replies.some(({ number }) => number === errorNumber("attributes-too-large")));
        await wait(1_000);
        const heard = witness.events.length - eventsBefore;
        const seconds = (performance.now() - startedMs) / 1000;
        assert.ok(heard <= 60 + 60 + 50 * seconds + 40, `the witness heard ${heard} events in ${seconds.toFixed(1)} s`);
        assert.equal(witness.closeCode, undefined, "the witness is not thrown out by it");

        const bindings = Array.from({ length: 10_000 }, (_, index) => ({
          mid: String(index),
          streamId: victim.streamId,
        }));
        const slots = await member.request(honestRoom, { case: "bindSlots", value: { session: "sub", bindings } });
        assert.equal(slots.number, errorNumber("too-many-slots"));
        const sections = Array.from({ length: 10_000 }, (_, index) => ({
          mid: `m${index}`,
          use: received[0]?.use ?? { case: undefined },
        }));
        const many: Method = { case: "openSession", value: { session: "s", offerSdp: stage.offer(false), sections } };
        assert.equal((await member.request(honestRoom, many)).number, errorNumber("too-many-media-sections"));
        // The victim's name is taken by somebody else's stream: theirs, not instead of the victim's.
        const impostor: Method = {
          case: "openSession",
          value: {
            session: "pub",
            offerSdp: stage.offer(true),
            sections: [
              {
                mid: "1",
                use: { case: "publish", value: { stream: honestStream, source: Source.CAMERA, exclusiveName: true } },
              },
            ],
          },
        };
        assert.equal((await member.request(honestRoom, impostor)).number, errorNumber("stream-in-use"));
        member.end();
        witness.end();
      });
    });

    await t.test("slow and silent connections are closed in the end, and all is as it was", async () => {
      await until(() => Object.values(loris).every(({ closed }) => closed === count), {
        what: "every slow connection is closed",
        deadlineMs: 25_000,
        describe: () => loris,
      });
      for (const socket of sockets) socket.destroy();
      clearInterval(drip);
      await stage.untilResourcesAreBack(before);
      await stage.during(async () => undefined);
      for (const error of ["frame-too-large", "bad-frame", "too-many-connections", "rate-limited", "connect-timeout"]) {
        assert.ok((await stage.grown(`parley_gateway_refused_total{error="${error}"}`)) > 0, error);
      }
      stage.noErrors();
    });
  },
);
