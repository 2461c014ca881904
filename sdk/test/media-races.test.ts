import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ClientSessionState, Source } from "@parley/protocol";
import { FakePeerConnection, FakeTrack } from "./fake-media.ts";
import { FakeWorld } from "./fake-world.ts";
import { done, joined, joinsSent, outcome, requestsTo, tellMoved, turns } from "./joined-room.ts";

/** Joins, moves and new PeerConnections that come while tracks are published, muted, taken back or received. */

beforeEach(() => {
  FakePeerConnection.connectsByItself = true;
  FakePeerConnection.answersRefused = 0;
});

/** Somebody whose camera is published, and whose next session to publish is refused for good; what the room says of it. */
async function refusedFromNowOn() {
  const world = new FakeWorld();
  const room = await joined(world);
  const failed: string[] = [];
  room.on("localTrackPublishFailed", ({ source }, { code }) => failed.push(`${source} ${code}`));
  await done(world, room.localParticipant.setCameraEnabled(true));
  world.server.requestErrors.set("openSession pub", "permission-denied");
  return { world, room, failed };
}

test("[SIG-4] an offer that waits for a join waits for the next one as well, when that join fails", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.answers = false;
  const microphone = outcome(room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(100);
  const camera = outcome(room.localParticipant.setCameraEnabled(true));
  await world.advance(20);
  world.server.answers = true;
  world.server.requestErrors.set("join", "unavailable");
  world.server.restart();
  await world.advance(8_000);
  assert.equal(room.state, "connected");
  assert.deepEqual([microphone.value(), camera.value()], ["done", "done"]);
  assert.equal(room.localParticipant.publications.size, 2);
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 2);
});

test("[SIG-4] an answer of a join that the PeerConnection refuses: a new one, and what waits is published", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  FakePeerConnection.answersRefused = 2;
  world.server.restart();
  await world.advance(3_000);
  assert.equal(FakePeerConnection.answersRefused, 0);
  const open = world.peers.filter(({ closed }) => !closed);
  assert.deepEqual(
    open.map(({ connectionState }) => connectionState),
    ["connected", "connected"],
  );
  const camera = outcome(room.localParticipant.setCameraEnabled(true));
  await world.advance(1_000);
  assert.equal(camera.value(), "done");
});

test("[SIG-4] the camera is switched off while we are moved, however far that has come: it settles, and goes on again", async () => {
  for (const pause of [0, 1, 2, 3, 4, 5, 6, 8]) {
    const world = new FakeWorld();
    const room = await joined(world);
    await done(world, room.localParticipant.setCameraEnabled(true));
    const off = outcome(room.localParticipant.setCameraEnabled(false));
    await turns(pause);
    tellMoved(world, "r", "other");
    await world.advance(1_000);
    assert.equal(off.value(), "done", `after ${pause} turns`);
    const on = outcome(room.localParticipant.setCameraEnabled(true));
    await world.advance(1_000);
    assert.equal(on.value(), "done", `after ${pause} turns`);
    assert.equal(room.localParticipant.isCameraEnabled, true, `after ${pause} turns`);
    const sending = world.peers.filter(({ closed }) => !closed).flatMap(({ transceivers }) => transceivers);
    assert.equal(sending.find(({ direction }) => direction === "sendonly")?.sender.track, world.devices.opened.at(-1));
  }
});

test("[SIG-4] muted, or unmuted, while the join is under way: the server hears of it", async () => {
  for (const muted of [true, false]) {
    const world = new FakeWorld();
    const room = await joined(world);
    await done(world, room.localParticipant.setMicrophoneEnabled(true));
    if (!muted) {
      await done(world, room.localParticipant.setMicrophoneEnabled(false));
    }
    world.server.restart();
    await joinsSent(world, 2);
    const toggling = outcome(room.localParticipant.setMicrophoneEnabled(!muted));
    await world.advance(1_000);
    assert.equal(toggling.value(), "done");
    const told = world.server.requests.at(-1)?.method;
    assert.ok(told?.case === "setTrackMuted", told?.case);
    assert.deepEqual([told.value.streamId, told.value.mid, told.value.muted], [5000, "0", muted]);
  }
});

test("a publication that is refused for now is offered again; one that is refused on and on rejects", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("openSession pub", "no-media-node");
  const microphone = outcome(room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(3_000);
  assert.equal(microphone.value(), "done");
  world.server.requestErrors.set("updateSession", "rate-limited");
  const camera = outcome(room.localParticipant.setCameraEnabled(true));
  await world.advance(3_000);
  assert.equal(camera.value(), "done");
  assert.equal(room.localParticipant.publications.size, 2);

  const screen = outcome(room.localParticipant.setScreenShareEnabled(true));
  for (let attempt = 0; attempt < 300; attempt += 1) {
    world.server.requestErrors.set("updateSession", "unavailable");
    await world.advance(100);
  }
  assert.equal(screen.value(), "unavailable");
  assert.equal(room.localParticipant.publications.size, 2);
});

test("unpublished while the offer that carries it is on its way: it is taken back", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const own = new FakeTrack("video");
  const publishing = outcome(room.localParticipant.publishTrack(own.asTrack()));
  await world.advance(20);
  const taken = outcome(room.localParticipant.unpublishTrack(own.asTrack()));
  await world.advance(1_000);
  assert.deepEqual([publishing.value(), taken.value()], ["cancelled", "done"]);
  assert.deepEqual(requestsTo(world, "r").slice(-2), ["openSession", "closeSession"]);
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 1);
});

test("[SIG-4] unpublished while the join that carries it is under way: it is taken back", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const publishing = [
    room.localParticipant.setMicrophoneEnabled(true),
    room.localParticipant.setScreenShareEnabled(true),
  ];
  await world.advance(300);
  await Promise.all(publishing);
  world.server.restart();
  await joinsSent(world, 2);
  const off = outcome(room.localParticipant.setScreenShareEnabled(false));
  await world.advance(20);
  assert.equal(off.value(), "done");
  await world.advance(1_000);
  const last = world.server.requests.at(-1)?.method;
  assert.ok(last?.case === "updateSession", last?.case);
  assert.deepEqual(
    last.value.sections.map(({ use }) => (use.case === "publish" ? use.value.source : undefined)),
    [Source.MICROPHONE],
  );
});

test("[SIG-4] all is taken back while the answer to its offer cannot be taken: the server has nothing left of it", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setScreenShareEnabled(true));
  FakePeerConnection.answersRefused = 2;
  world.server.restart();
  await joinsSent(world, 2);
  const off = outcome(room.localParticipant.setScreenShareEnabled(false));
  await world.advance(2_000);
  assert.equal(off.value(), "done");
  assert.ok(requestsTo(world, "r").slice(-2).includes("closeSession"));
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 1);
});

test("[SIG-4] unmuted while the server has lost the session: the next one says so, and nobody is told of an error", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  await done(world, room.localParticipant.setMicrophoneEnabled(false));
  world.server.requestErrors.set("setTrackMuted", "stream-not-found");
  const unmuting = outcome(room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(20);
  world.server.event({ case: "sessionState", value: { session: "pub", state: ClientSessionState.LOST } }, false);
  await world.advance(1_000);
  assert.equal(unmuting.value(), "done");
  assert.equal(room.localParticipant.isMicrophoneEnabled, true);
  const told = world.server.requests.at(-1)?.method;
  assert.ok(told?.case === "setTrackMuted" && !told.value.muted, told?.case);
});

test("[SIG-4] what was published before its session was lost and is refused after that: an event, and nothing stays behind", async () => {
  const { world, room, failed } = await refusedFromNowOn();
  world.server.event({ case: "sessionState", value: { session: "pub", state: ClientSessionState.LOST } }, false);
  await world.advance(1_000);
  assert.deepEqual(failed, ["camera permission-denied"]);
  assert.equal(room.localParticipant.getPublication("camera"), undefined);
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 1);
});

test("[SIG-4] an ICE restart that finds the PeerConnection lost opens the next one, and fails: it is tried again", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  world.server.requestErrors.set("openSession pub", "no-media-node");
  world.networkChanged(true);
  world.peers[1]?.setState("failed");
  await world.advance(3_000);
  assert.equal(world.server.requestErrors.size, 0);
  const open = world.peers.filter(({ closed }) => !closed);
  assert.deepEqual(
    open.map(({ connectionState }) => connectionState),
    ["connected", "connected"],
  );
});

test("a screen, or a camera, that opens in the very moment in which we leave is closed", async () => {
  for (let pause = 0; pause < 16; pause += 1) {
    const world = new FakeWorld();
    const room = await joined(world);
    const calls = [room.localParticipant.setScreenShareEnabled(true), room.localParticipant.setCameraEnabled(true)];
    const outcomes = calls.map(outcome);
    await turns(pause);
    void room.disconnect();
    await world.advance(1_000);
    assert.deepEqual(
      outcomes.map(({ value }) => value()),
      ["cancelled", "cancelled"],
      `after ${pause} turns`,
    );
    assert.ok(
      world.devices.opened.every(({ readyState }) => readyState === "ended"),
      `after ${pause} turns`,
    );
    assert.equal(room.localParticipant.getPublication("screen"), undefined, `after ${pause} turns`);
  }
});

test("[SIG-4] an answer that the PeerConnection refuses, then a refusal for good: the server has nothing left of it", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  FakePeerConnection.answersRefused = 1;
  const publishing = outcome(room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(300);
  assert.equal(FakePeerConnection.answersRefused, 0);
  world.server.requestErrors.set("openSession pub", "permission-denied");
  await world.advance(2_000);
  assert.equal(publishing.value(), "permission-denied");
  assert.equal(requestsTo(world, "r").at(-1), "closeSession");
});

test("[SIG-4] what was published before a move and is refused after it: an event, and nothing stays behind", async () => {
  const { world, room, failed } = await refusedFromNowOn();
  tellMoved(world, "r", "other");
  await world.advance(1_000);
  assert.deepEqual(failed, ["camera permission-denied"]);
  assert.equal(world.devices.opened[0]?.readyState, "ended");
  const again = outcome(room.localParticipant.setCameraEnabled(true));
  await world.advance(1_000);
  assert.equal(again.value(), "done");
  assert.equal(room.localParticipant.publications.size, 1);
});

test("what becomes of a slot of the old PeerConnection says nothing of the new one's", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", [{ mid: "1", kind: "video", source: Source.CAMERA }]);
  const room = await joined(world);
  const failed: string[] = [];
  room.on("trackSubscriptionFailed", ({ id }) => failed.push(id));
  world.server.bindError = "stream-not-found";
  room.remoteParticipants.get("bob")?.getPublication("camera")?.setVisible(true);
  await world.advance(20);
  world.server.event({ case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } }, false);
  await world.advance(1_000);
  assert.ok(requestsTo(world, "r").includes("bindSlots"));
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 1);
  assert.deepEqual(failed, []);
});

test("[SIG-4] a session that ended while the link was broken for long is ended at the server when it is back", async () => {
  // A request waits ten seconds for the link. Published again meanwhile, in the pause after that, and while the next one waits.
  for (const againAfterMs of [undefined, 9_000, 10_200, 12_000]) {
    const world = new FakeWorld();
    const room = await joined(world);
    await done(world, room.localParticipant.setCameraEnabled(true));
    const camera = room.localParticipant.getPublication("camera");
    assert.ok(camera !== undefined);
    world.server.isReachable = false;
    world.server.cut();
    await world.advance(1_000);
    const unpublishing = outcome(room.localParticipant.unpublishTrack(camera));
    await world.advance(againAfterMs ?? 12_000);
    assert.equal(unpublishing.value(), againAfterMs === 9_000 ? "pending" : "request-timeout");
    assert.equal(room.localParticipant.publications.size, 0);
    const again = againAfterMs === undefined ? undefined : outcome(room.localParticipant.setMicrophoneEnabled(true));
    world.server.isReachable = true;
    await world.advance(60_000);
    assert.equal(world.server.connections, 1, "it was resumed");
    const asked = requestsTo(world, "r").filter((method) => ["openSession", "closeSession"].includes(method));
    if (again === undefined) assert.deepEqual(asked, ["openSession", "closeSession"]);
    else {
      // A session of that name is wanted again: nothing ends that.
      assert.equal(again.value(), "done");
      assert.equal(asked.at(-1), "openSession", asked.join());
    }
  }
});

test("[SIG-4] a server that has no time to end a session is asked again, each time later", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  const camera = room.localParticipant.getPublication("camera");
  assert.ok(camera !== undefined);
  const times: number[] = [];
  world.server.refuses = ({ method }) => {
    if (method.case !== "closeSession") return undefined;
    times.push(world.clock.monoMs());
    return times.length <= 6 ? "unavailable" : undefined;
  };
  const unpublishing = outcome(room.localParticipant.unpublishTrack(camera));
  await world.advance(60_000);
  assert.equal(unpublishing.value(), "unavailable");
  // The way takes 50 ms, and time goes in steps of 20 ms.
  assert.deepEqual(
    times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0) - 60),
    [500, 1_000, 2_000, 4_000, 4_000, 4_000],
  );
});

test("[SIG-4] what was to end in a room is nobody's business in the next one", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  const camera = room.localParticipant.getPublication("camera");
  assert.ok(camera !== undefined);
  world.server.requestErrors.set("closeSession", "unavailable");
  const unpublishing = outcome(room.localParticipant.unpublishTrack(camera));
  await world.advance(200);
  assert.equal(unpublishing.value(), "unavailable");
  tellMoved(world, "r", "other");
  await world.advance(30_000);
  assert.equal(requestsTo(world, "r").filter((method) => method === "closeSession").length, 1);
  assert.equal(requestsTo(world, "other").filter((method) => method === "closeSession").length, 0);
});

test("[SIG-4] muted while the link is broken for long: the server hears of it when it is back", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  world.server.isReachable = false;
  world.server.cut();
  await world.advance(1_000);
  const muting = outcome(room.localParticipant.setMicrophoneEnabled(false));
  await world.advance(12_000);
  assert.equal(muting.value(), "request-timeout");
  assert.equal(room.localParticipant.isMicrophoneEnabled, false, "nothing is sent all the same");
  world.server.isReachable = true;
  await world.advance(60_000);
  assert.deepEqual(wordsOnMutes(world), [true]);
});

test("[SIG-4] an unmute that the server has carried out, unlike us, is taken back", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  await done(world, room.localParticipant.setMicrophoneEnabled(false));
  const unmuting = outcome(room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(20);
  // It arrives, and its answer does not.
  world.server.answers = false;
  await world.advance(100);
  world.server.answers = true;
  await world.advance(12_000);
  assert.equal(unmuting.value(), "request-timeout");
  assert.equal(room.localParticipant.isMicrophoneEnabled, false);
  await world.advance(5_000);
  assert.deepEqual(wordsOnMutes(world), [true, false, true]);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  await world.advance(30_000);
  assert.deepEqual(wordsOnMutes(world), [true, false, true, false]);
});

test("[SIG-4] a correction of what a join said of a track is repeated until it arrives", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  await done(world, room.localParticipant.setMicrophoneEnabled(false));
  world.server.restart();
  await joinsSent(world, 2);
  const unmuting = outcome(room.localParticipant.setMicrophoneEnabled(true));
  world.server.requestErrors.set("setTrackMuted", "unavailable");
  await world.advance(2_000);
  assert.equal(unmuting.value(), "done");
  // The second one is refused.
  assert.deepEqual(wordsOnMutes(world), [true, false, false]);
});

/** What the server was told of tracks that are muted, oldest first. */
function wordsOnMutes(world: FakeWorld): boolean[] {
  return world.server.requests.flatMap(({ method }) => (method.case === "setTrackMuted" ? [method.value.muted] : []));
}
