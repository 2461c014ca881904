import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { createLocalVideoTrack, ParleyError } from "../src/index.ts";
import { roomOn } from "../src/room/own-room.ts";
import { FakePeerConnection, FakeTrack } from "./fake-media.ts";
import { FakeWorld } from "./fake-world.ts";
import { joined } from "./joined-room.ts";

/** What we send: devices that are opened, muted, given, refused. */

beforeEach(() => {
  FakePeerConnection.connectsByItself = true;
});

test("tracks given to connect travel with the join", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const tracks = [{ track: new FakeTrack("video").asTrack() }, { track: new FakeTrack("audio").asTrack() }];
  const connecting = room.connect("ws://server", "token", { room: "r", tracks });
  await world.advance(300);
  await connecting;
  assert.equal(world.server.requests.filter(({ method }) => method.case === "openSession").length, 0);
  assert.deepEqual(
    [...room.localParticipant.publications.values()].map(({ source }) => source),
    ["camera", "microphone"],
  );
  assert.equal(room.localParticipant.isCameraEnabled, true);
});

test("publishing: one offer for two tracks, mute and unmute, the camera's light goes off, unpublish", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const both = Promise.all([
    room.localParticipant.setCameraEnabled(true),
    room.localParticipant.setMicrophoneEnabled(true),
  ]);
  await world.advance(300);
  const [video] = await both;
  assert.equal(world.server.requests.filter(({ method }) => method.case === "openSession").length, 1);
  assert.deepEqual([...room.localParticipant.publications.keys()], ["5000:0", "5000:1"]);
  const [first] = world.devices.opened;
  const muting = room.localParticipant.setCameraEnabled(false);
  await world.advance(200);
  await muting;
  assert.equal(first?.readyState, "ended");
  assert.equal(video?.muted, true);
  assert.equal(room.localParticipant.isCameraEnabled, false);
  const unmuting = room.localParticipant.setCameraEnabled(true);
  await world.advance(200);
  await unmuting;
  assert.equal(world.devices.opened.length, 3);
  assert.equal(video?.track, world.devices.opened[2]?.asTrack());
  const over = room.localParticipant.unpublishTrack(video!);
  await world.advance(200);
  await over;
  assert.deepEqual(
    [...room.localParticipant.publications.values()].map(({ source }) => source),
    ["microphone"],
  );
});

test("a refused publication and a refused device reject with their numbers, and leave nothing behind", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("openSession", "grant-missing");
  const refused = room.localParticipant.setMicrophoneEnabled(true);
  const check = assert.rejects(refused, (error) => error instanceof ParleyError && error.code === "grant-missing");
  await world.advance(300);
  await check;
  assert.equal(world.devices.opened[0]?.readyState, "ended");
  assert.equal(room.localParticipant.getPublication("microphone"), undefined);
  world.devices.refusal = Object.assign(new Error("no"), { name: "NotAllowedError" });
  const denied: string[] = [];
  room.on("mediaDevicesError", ({ code }, source) => denied.push(`${source} ${code}`));
  await assert.rejects(room.localParticipant.setCameraEnabled(true), { code: "device-permission-denied" });
  assert.deepEqual(denied, ["camera device-permission-denied"]);
});

test("devices that are opened before connect are published with the join, and nobody waits for it", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const published: string[] = [];
  room.on("localTrackPublished", ({ source }) => published.push(source));
  const camera = await room.localParticipant.setCameraEnabled(true);
  await room.localParticipant.setMicrophoneEnabled(true);
  assert.equal(room.localParticipant.isCameraEnabled, true);
  assert.equal(world.devices.opened.length, 2);
  // Off and on again, still before anything is there.
  await room.localParticipant.setCameraEnabled(false);
  assert.equal(world.devices.opened[0]?.readyState, "ended", "the light is off");
  await room.localParticipant.setCameraEnabled(true);
  assert.equal(camera?.track, world.devices.opened[2]?.asTrack());
  assert.deepEqual(published, []);
  const connecting = room.connect("ws://server", "token", { room: "r" });
  await world.advance(200);
  await connecting;
  assert.deepEqual(published, ["camera", "microphone"]);
  assert.equal(world.server.requests.filter(({ method }) => method.case === "openSession").length, 0);
  const join = world.server.requests.find(({ method }) => method.case === "join")?.method;
  assert.ok(join?.case === "join");
  assert.deepEqual(join.value.sessions.map(({ session }) => session).toSorted(), ["pub", "sub"]);
  assert.equal(world.peers.flatMap(({ transceivers }) => transceivers)[8]?.sender.track, world.devices.opened[2]);
});

test("devices that were opened for a join that fails, or never comes, are closed", async () => {
  const world = new FakeWorld();
  world.server.refusal = "token-bad-signature";
  const room = roomOn(world.platform);
  await room.localParticipant.setCameraEnabled(true);
  const check = assert.rejects(room.connect("ws://server", "bad", { room: "r" }), { code: "token-bad-signature" });
  await world.advance(300);
  await check;
  assert.equal(world.devices.opened[0]?.readyState, "ended");
  assert.equal(room.localParticipant.getPublication("camera"), undefined);
  await room.localParticipant.setMicrophoneEnabled(true);
  await room.disconnect();
  assert.equal(world.devices.opened[1]?.readyState, "ended");
  // The next join has nothing of that in it.
  const connecting = room.connect("ws://server", "token", { room: "r" });
  await world.advance(300);
  await connecting;
  assert.deepEqual([...room.localParticipant.publications.keys()], []);
});

test("devices that open when we have left are closed: first time, unmuted, switched, and the screen", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const { localParticipant: local } = room;
  const first = local.setCameraEnabled(true);
  await world.advance(300);
  await first;
  const muting = local.setCameraEnabled(false);
  await world.advance(200);
  await muting;
  let allow = (): void => undefined;
  world.devices.answer = new Promise((resolve) => {
    allow = resolve;
  });
  const opening = [local.setCameraEnabled(true), local.setMicrophoneEnabled(true), local.setScreenShareEnabled(true)];
  const cancelled = opening.map((one) => assert.rejects(one, { code: "cancelled" }));
  // The users are being asked.
  await world.advance(50);
  await room.disconnect();
  allow();
  await Promise.all(cancelled);
  assert.deepEqual(
    world.devices.opened.map(({ kind, readyState }) => `${kind} ${readyState}`),
    ["video ended", "video ended", "audio ended", "video ended"],
  );
});

test("what waited for the join and is refused there is told by an event, and its device is closed", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const refused: string[] = [];
  room.on("localTrackPublishFailed", ({ source }, { code }) => refused.push(`${source} ${code}`));
  await room.localParticipant.setCameraEnabled(true);
  world.server.requestErrors.set("join", "permission-denied");
  world.server.requestErrors.set("openSession pub", "permission-denied");
  const connecting = room.connect("ws://server", "token", { room: "r" });
  await world.advance(1_000);
  await connecting;
  assert.equal(room.state, "connected");
  assert.deepEqual(refused, ["camera permission-denied"]);
  assert.equal(world.devices.opened[0]?.readyState, "ended");
  assert.equal(room.localParticipant.getPublication("camera"), undefined);
});

test("a camera of createLocalVideoTrack is off while muted and opened again the same way", async () => {
  const world = new FakeWorld();
  const devices = world.devices as unknown as MediaDevices;
  const track = await createLocalVideoTrack({ deviceId: "cam-2", width: 320 }, devices);
  const room = roomOn(world.platform);
  const connecting = room.connect("ws://server", "token", { room: "r", tracks: [{ track }] });
  await world.advance(300);
  await connecting;
  const muting = room.localParticipant.setCameraEnabled(false);
  await world.advance(200);
  await muting;
  assert.equal(track.readyState, "ended");
  const unmuting = room.localParticipant.setCameraEnabled(true);
  await world.advance(200);
  const publication = await unmuting;
  assert.equal(publication?.track, world.devices.opened[1]?.asTrack());
  const asked = world.devices.asked.map(({ video }) => (typeof video === "object" ? video : undefined));
  assert.deepEqual(asked[1], asked[0]);
  assert.deepEqual(asked[1]?.deviceId, { exact: "cam-2" });
  // What the SDK opened the SDK closes.
  const leaving = room.disconnect();
  await world.advance(200);
  await leaving;
  assert.equal(world.devices.opened[1]?.readyState, "ended");
});

test("the app's own track is only silenced, unless it says how to open it again", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const own = new FakeTrack("video");
  const fresh = new FakeTrack("video");
  const publishing = room.localParticipant.publishTrack(own.asTrack());
  await world.advance(300);
  const publication = await publishing;
  const muting = publication.mute();
  await world.advance(200);
  await muting;
  assert.equal(own.readyState, "live");
  assert.equal(own.enabled, false);
  const over = room.localParticipant.unpublishTrack(publication);
  await world.advance(200);
  await over;
  assert.equal(own.readyState, "live", "not ours to stop");

  own.enabled = true;
  const again = room.localParticipant.publishTrack(own.asTrack(), { reopen: () => Promise.resolve(fresh.asTrack()) });
  await world.advance(300);
  const reopening = await again;
  const off = reopening.mute();
  await world.advance(200);
  await off;
  assert.equal(own.readyState, "ended");
  const on = reopening.unmute();
  await world.advance(200);
  await on;
  assert.equal(reopening.track, fresh.asTrack());
});

test("a muted microphone stays open and sends silence", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const publishing = room.localParticipant.setMicrophoneEnabled(true);
  await world.advance(300);
  await publishing;
  const muting = room.localParticipant.setMicrophoneEnabled(false);
  await world.advance(200);
  await muting;
  const [track] = world.devices.opened;
  assert.equal(track?.readyState, "live");
  assert.equal(track?.enabled, false);
  const unmuting = room.localParticipant.setMicrophoneEnabled(true);
  await world.advance(200);
  await unmuting;
  assert.equal(world.devices.opened.length, 1);
  assert.equal(track?.enabled, true);
});

test("in the lobby a device opens at once and is published on admission; denial is not-admitted", async () => {
  const world = new FakeWorld();
  world.server.lobby = true;
  const room = roomOn(world.platform);
  const connecting = room.connect("ws://server", "token", { room: "r" });
  await world.advance(200);
  await connecting;
  assert.equal(room.isWaiting, true);
  const camera = await room.localParticipant.setCameraEnabled(true);
  assert.equal(camera?.streamId, 0);
  world.server.admit(true);
  await world.advance(300);
  assert.equal(room.isWaiting, false);
  assert.deepEqual(
    [...room.localParticipant.publications.values()].map(({ source }) => source),
    ["camera"],
  );

  const other = roomOn(world.platform);
  const waiting = other.connect("ws://server", "token", { room: "r" });
  await world.advance(200);
  await waiting;
  const ended: unknown[] = [];
  other.on("disconnected", (reason, error) =>
    ended.push(reason, error?.code, error?.number, error instanceof ParleyError),
  );
  world.server.admit(false);
  await world.advance(100);
  assert.deepEqual(ended, ["removed", "not-admitted", 4008, true]);
});
