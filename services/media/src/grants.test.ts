import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { subjects } from "@parley/foundation";
import { Codec, GrantsWantedSchema, SessionState, errorNumber } from "@parley/protocol";
import { World, videoSlot, videoTrack } from "./test/world.ts";

describe("a media node and its grants", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  it("opens what is granted, and acknowledges at once", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
    assert.equal(world.status("p").acknowledgedRevision, 1n);
    assert.equal(world.status("p").state, SessionState.NEW);
    assert.equal(world.track("p", "v").options.streamId, 7);
    assert.equal(world.slot("p", "sv").options.clockRateHz, 90000);
    assert.deepEqual(
      world.peer("p").codecs.map(({ codec }) => codec),
      [Codec.VP8, Codec.OPUS],
    );
    assert.equal(world.status("p").nodeBootId, world.node.bootId);
  });

  it("a repeat changes nothing and is acknowledged again", async () => {
    const grant = { sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] };
    await world.grant(grant);
    const commands = world.plane.commands.length;
    const statuses = world.statusCount("p");
    await world.grant(grant);
    assert.equal(world.plane.commands.length, commands);
    assert.equal(world.statusCount("p"), statuses + 1);
  });

  it("the highest revision wins, in whatever order they come", async () => {
    await world.grant({ sessionId: "p", revision: 5n, receives: [videoTrack(7, { paused: true })] });
    await world.grant({ sessionId: "p", revision: 4n, receives: [] });
    assert.equal(world.track("p", "v").paused, true);
    assert.equal(world.status("p").acknowledgedRevision, 5n);
    await world.grant({ sessionId: "p", revision: 6n, receives: [videoTrack(7)] });
    assert.equal(world.track("p", "v").paused, false);
    assert.equal(world.plane.commands.filter((each) => each === "openTrack").length, 1);
  });

  it("refuses the grants of a former owner of the rooms, as soon as it has heard of the new one", async () => {
    const fence = (revision: bigint) => ({ bucketId: "b", shard: "all", revision });
    await world.grant({ sessionId: "p", receives: [videoTrack(7)], fence: fence(5n) });
    const wanted = create(GrantsWantedSchema, { fence: fence(9n) });
    world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, wanted));
    await world.settle();
    assert.equal(world.held.length, 1);
    await world.grant({ sessionId: "p", revision: 2n, receives: [], closed: true, fence: fence(5n) });
    await world.grant({ sessionId: "ghost", receives: [videoTrack(8)], fence: fence(8n) });
    assert.equal(world.node.sessions, 1);
    assert.equal(world.status("p").acknowledgedRevision, 1n);
    assert.equal(world.metrics.read("parley_media_grants_total", "fenced"), 2);
    const old = create(GrantsWantedSchema, { fence: fence(5n) });
    world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, old));
    await world.settle();
    assert.equal(world.held.length, 1, "it is not answered either");
    await world.grant({ sessionId: "p", revision: 2n, receives: [], fence: fence(9n) });
    await world.soon();
    assert.equal(world.status("p").acknowledgedRevision, 2n);
  });

  it("closed: everything is freed, late repeats do not bring it back", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    await world.connect("p");
    await world.grant({ sessionId: "p", revision: 2n, closed: true });
    assert.equal(world.status("p").state, SessionState.CLOSED);
    assert.equal(world.status("p").acknowledgedRevision, 2n);
    assert.equal(world.plane.peers.size, 0);
    assert.equal(world.plane.tracks.size, 0);
    assert.ok(world.sentTexts().includes("close-notify"));
    assert.equal(world.node.sessions, 0);
    await world.grant({ sessionId: "p", revision: 1n, receives: [videoTrack(7)] });
    assert.equal(world.plane.peers.size, 0);
    assert.equal(world.status("p").state, SessionState.CLOSED);
  });

  it("closed before it was ever heard of is acknowledged too", async () => {
    await world.grant({ sessionId: "p", revision: 3n, closed: true });
    assert.equal(world.status("p").state, SessionState.CLOSED);
    assert.equal(world.status("p").acknowledgedRevision, 3n);
  });

  it("of another life of the node: session-lost", async () => {
    await world.grant({ sessionId: "p", nodeBootId: world.node.bootId + 1n });
    assert.equal(world.status("p").state, SessionState.FAILED);
    assert.equal(world.status("p").reason, errorNumber("session-lost"));
    assert.equal(world.plane.peers.size, 0);
  });

  it("named as standing it is kept; of one that is not here, it is said so, and the whole of it opens it", async () => {
    await world.grant({ sessionId: "p" });
    await world.pass(5_000);
    const statuses = world.statusCount("p");
    for (let turn = 0; turn < 4; turn += 1) {
      await world.confirm({ sessionId: "p", revision: 1n });
      assert.equal(world.node.sessions, 1);
      if (turn === 0) assert.equal(world.statusCount("p"), statuses, "no answer is needed");
      await world.pass(10_000);
    }
    await world.confirm({ sessionId: "q", revision: 1n });
    assert.equal(world.status("q").acknowledgedRevision, 0n);
    assert.equal(world.status("q").state, SessionState.UNSPECIFIED);
    assert.equal(world.node.sessions, 1);
    await world.grant({ sessionId: "q" });
    assert.equal(world.status("q").acknowledgedRevision, 1n);
    await world.confirm({ sessionId: "q", revision: 2n });
    assert.equal(world.status("q").acknowledgedRevision, 1n);
    await world.confirm({ sessionId: "q", revision: 1n, nodeBootId: world.node.bootId + 1n });
    assert.equal(world.status("q").reason, errorNumber("session-lost"));
  });

  it("nobody repeats it for 35 s: it is forgotten", async () => {
    await world.grant({ sessionId: "p" });
    await world.connect("p");
    for (let second = 0; second < 33; second += 1) {
      world.keepAlive("p");
      await world.pass(1000);
    }
    assert.equal(world.status("p").state, SessionState.CONNECTED);
    await world.grant({ sessionId: "p" });
    for (let second = 0; second < 37; second += 1) {
      if (world.node.sessions > 0) world.keepAlive("p");
      await world.pass(1000);
    }
    assert.equal(world.node.sessions, 0);
    assert.equal(world.plane.peers.size, 0);
    assert.equal(world.status("p").state, SessionState.CLOSED);
  });

  it("nonsense is counted and harmless, another tenant's session id too", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    world.bus.publish(subjects.mediaGrant("node"), new Uint8Array([0xff, 0xff, 0xff]));
    await world.grant({ sessionId: "" });
    await world.grant({ sessionId: "q", ice: undefined });
    await world.grant({ sessionId: "p", appId: "other", revision: 9n, closed: true });
    assert.equal(world.plane.peers.size, 1);
    assert.equal(world.metrics.read("parley_media_grants_total", "malformed"), 4);
  });

  it("a signaling process that starts gets all grants as they came", async () => {
    await world.grant({ sessionId: "p", ownerState: new Uint8Array([1, 2, 3]) });
    await world.grant({ sessionId: "q" });
    await world.grant({ sessionId: "p", revision: 2n, ownerState: new Uint8Array([4]) });
    world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, create(GrantsWantedSchema)));
    await world.settle();
    assert.deepEqual(
      world.held.map(({ sessionId, revision, ownerState }) => [sessionId, revision, [...ownerState]]),
      [
        ["p", 2n, [4]],
        ["q", 1n, []],
      ],
    );
  });
});
