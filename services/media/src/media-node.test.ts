import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SessionState, errorNumber } from "@parley/protocol";
import { World, videoSlot, videoTrack } from "./test/world.ts";

describe("media node", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  it("announces itself every 250 ms", async () => {
    await world.pass(1000);
    assert.equal(world.announcements.length, 5);
    const last = world.announcements.at(-1);
    assert.equal(last?.nodeId, "node");
    assert.equal(last.bootId, world.node.bootId);
    assert.equal(last.dtlsFingerprint.length, 32);
    assert.deepEqual(
      last.addresses.map(({ ip, udpPort, tcpPort }) => [ip, udpPort, tcpPort]),
      [["192.0.2.1", 3478, 3478]],
    );
  });

  it("drains: says so, refuses new sessions, keeps the others", async () => {
    await world.grant({ sessionId: "p" });
    world.node.drain();
    await world.grant({ sessionId: "q" });
    assert.equal(world.announcements.at(-1)?.draining, true);
    assert.equal(world.status("q").reason, errorNumber("draining"));
    await world.grant({ sessionId: "p", revision: 2n, receives: [videoTrack(7)] });
    await world.soon();
    assert.equal(world.status("p").acknowledgedRevision, 2n);
    assert.equal(world.node.sessions, 1);
  });

  it("is full at its bound", async () => {
    const small = new World({ grants: { maxSessions: 1 } });
    await small.grant({ sessionId: "p" });
    await small.grant({ sessionId: "q" });
    assert.equal(small.status("q").reason, errorNumber("too-many-sessions"));
    small.close();
  });

  it("closes: clients are told, sessions reported closed, no timer is left", async () => {
    await world.grant({ sessionId: "p" });
    await world.connect("p");
    world.node.close();
    await world.settle();
    assert.equal(world.status("p").state, SessionState.CLOSED);
    assert.ok(world.sentTexts().includes("close-notify"));
    assert.equal(world.clock.pendingCount, 0);
    assert.equal(world.plane.peers.size, 0);
  });

  it("counts", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
    await world.connect("p");
    assert.equal(world.metrics.read("parley_media_sessions", "connected"), 1);
    assert.equal(world.metrics.read("parley_media_tracks"), 1);
    assert.equal(world.metrics.read("parley_media_slots"), 1);
    assert.equal(world.metrics.read("parley_media_grants_total", "open"), 1);
  });
});
