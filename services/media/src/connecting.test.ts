import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { parseStun } from "@parley/domain-media-control";
import { subjects } from "@parley/foundation";
import { GrantRequestSchema, SessionState, errorNumber } from "@parley/protocol";
import { World, pathOf, videoSlot, videoTrack } from "./test/world.ts";

describe("how a session of a media node connects", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  it("check, handshake, keys: connected, told at once", async () => {
    await world.grant({ sessionId: "p" });
    world.check("p");
    await world.soon();
    assert.equal(world.status("p").state, SessionState.CONNECTING);
    assert.deepEqual(world.peer("p").selected, pathOf(5000));
    assert.equal(parseStun(world.plane.sent[0]!.datagram)?.class, "success");
    world.dtls("p", "hello");
    world.dtls("p", "finished");
    await world.settle();
    assert.equal(world.peer("p").keyed, true);
    assert.equal(world.status("p").state, SessionState.CONNECTED);
    assert.deepEqual(world.sentTexts().slice(1), ["server-hello", "finished"]);
  });

  it("a lost flight is sent again when its time is up", async () => {
    await world.grant({ sessionId: "p" });
    world.check("p");
    world.dtls("p", "hello");
    await world.pass(1000);
    assert.equal(world.plane.handshakes[0]?.timeouts, 1);
    assert.equal(world.sentTexts().filter((text) => text === "server-hello").length, 2);
    await world.pass(2000);
    assert.equal(world.plane.handshakes[0].timeouts, 2);
    world.dtls("p", "finished");
    await world.pass(10_000);
    assert.equal(world.plane.handshakes[0].timeouts, 2, "no timer after the handshake");
  });

  it("a client that wants to be passive gets our ClientHello", async () => {
    const dtls = { remoteFingerprints: [{ algorithm: "sha-256", value: new Uint8Array(32) }], localActive: true };
    await world.grant({ sessionId: "p", dtls });
    world.check("p");
    await world.settle();
    assert.equal(world.plane.handshakes[0]?.options.role, "client");
    assert.ok(world.sentTexts().includes("client-hello"));
  });

  it("a failed handshake and one that takes too long end the session with a number", async () => {
    await world.grant({ sessionId: "p" });
    world.check("p");
    world.dtls("p", "garbage");
    await world.settle();
    assert.equal(world.status("p").state, SessionState.FAILED);
    assert.equal(world.status("p").reason, errorNumber("dtls-failed"));
    assert.equal(world.plane.peers.size, 0);

    await world.grant({ sessionId: "q" });
    world.check("q");
    for (let second = 0; second < 32; second += 1) {
      if (world.plane.peers.size > 0) world.keepAlive("q");
      await world.grant({ sessionId: "q" });
      await world.pass(1000);
    }
    assert.equal(world.status("q").reason, errorNumber("dtls-failed"));
  });

  it("consent that runs out fails the session; it goes on being reported", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    await world.connect("p");
    world.keepAlive("p");
    await world.pass(29_000);
    assert.equal(world.status("p").state, SessionState.CONNECTED);
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    await world.pass(2500);
    assert.equal(world.status("p").state, SessionState.FAILED);
    assert.equal(world.status("p").reason, errorNumber("ice-failed"));
    assert.equal(world.plane.peers.size, 0);
    const count = world.statusCount("p");
    await world.pass(12_000);
    assert.ok(world.statusCount("p") >= count + 3);
  });

  it("close_notify of the client closes the session at once", async () => {
    await world.grant({ sessionId: "p" });
    await world.connect("p");
    world.dtls("p", "alert");
    await world.settle();
    assert.equal(world.status("p").state, SessionState.CLOSED);
    assert.equal(world.plane.peers.size, 0);
  });

  it("ICE restart: new credentials, old ones answered, retired after the new nomination", async () => {
    await world.grant({ sessionId: "p" });
    await world.connect("p");
    const ice = {
      localUfrag: "p2-local",
      localPassword: "p2-password-password-1",
      remoteUfrag: "remo",
      remotePassword: "remotepassword",
      previousLocalUfrag: "p-local",
      previousLocalPassword: "p-password-password-1",
      previousRemoteUfrag: "remo",
    };
    await world.grant({ sessionId: "p", revision: 2n, ice });
    const peer = world.peer("p2");
    assert.equal(peer.previousIce?.localUfrag, "p-local");
    world.plane.sent.length = 0;
    world.check("p", pathOf(5001), false);
    assert.equal(world.plane.sent.length, 1, "the old generation is still answered");
    world.check("p2", pathOf(6000));
    assert.equal(peer.previousIce, undefined);
    assert.deepEqual(peer.selected, pathOf(6000));
    assert.equal(world.plane.peers.size, 1);
  });

  it("follows a client that changes its address, by check and by nomination", async () => {
    await world.grant({ sessionId: "p" });
    await world.connect("p");
    world.check("p", pathOf(6000));
    assert.deepEqual(world.peer("p").selected, pathOf(6000));
    world.plane.emit({ type: "nominated", peer: world.peer("p").handle, address: pathOf(5000) });
    assert.deepEqual(world.peer("p").selected, pathOf(5000));
  });

  describe("checks that are faster than their grant", () => {
    it("ask once, and are answered when the grant comes", async () => {
      const asked: string[] = [];
      world.bus.subscribe(subjects.mediaGrantGet, ({ payload, reply }) => {
        asked.push(fromBinary(GrantRequestSchema, payload).localUfrag);
        reply?.(world.grantBytes({ sessionId: "p" }));
      });
      world.check("p");
      world.check("p");
      await world.settle();
      assert.deepEqual(asked, ["p-local"]);
      assert.equal(world.plane.sent.length, 1);
      assert.equal(world.status("p").state, SessionState.CONNECTING);
    });

    it("a grant that comes by itself is as good", async () => {
      world.check("p");
      await world.settle();
      await world.grant({ sessionId: "p" });
      assert.equal(world.plane.sent.length, 1);
      assert.deepEqual(world.peer("p").selected, pathOf(5000));
    });

    it("another path for media that flows: a key frame at once, of what is sent here and of what is shown here", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.grant({ sessionId: "w", slots: [videoSlot({ sessionId: "p", streamId: 7 })] });
      for (const sessionId of ["p", "w"]) world.check(sessionId, pathOf(sessionId === "p" ? 5000 : 5100));
      await world.connect("p", pathOf(5000));
      await world.connect("w", pathOf(5100));
      const before = world.track("p", "v").keyFrameRequests;
      world.check("p", pathOf(6000));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 1);
      world.check("w", pathOf(6100));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 2);
      world.check("w", pathOf(6100));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 2, "the same path is no news");
    });

    it("an unknown session is asked for again only after a while, a flood not at all", async () => {
      const asked: string[] = [];
      world.bus.subscribe(subjects.mediaGrantGet, ({ payload, reply }) => {
        asked.push(fromBinary(GrantRequestSchema, payload).localUfrag);
        reply?.(new Uint8Array(0));
      });
      for (let step = 0; step < 40; step += 1) {
        world.check("gone");
        await world.pass(100);
      }
      assert.equal(asked.length, 1);
      await world.pass(3000);
      world.check("gone");
      await world.settle();
      assert.equal(asked.length, 2);
      await world.pass(2000);
      asked.length = 0;
      for (let index = 0; index < 2000; index += 1) world.check(`flood${index}`);
      await world.settle();
      assert.equal(asked.length, 50);
    });
  });
});
