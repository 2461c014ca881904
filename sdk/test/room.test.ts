import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ClientSessionState, ParticipantSchema, Source } from "@parley/protocol";
import type { Room } from "../src/index.ts";
import { roomOn } from "../src/room/own-room.ts";
import { joined } from "./joined-room.ts";
import { FakePeerConnection, type FakeTransceiver } from "./fake-media.ts";
import { FakeWorld, settle } from "./fake-world.ts";

beforeEach(() => {
  FakePeerConnection.connectsByItself = true;
});

const camera = [
  { mid: "0", kind: "audio", source: Source.MICROPHONE },
  { mid: "1", kind: "video", source: Source.CAMERA },
] as const;

test("[SIG-1] connect, join and the first offer leave in one flight", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const connecting = room.connect("http://server/", "token", { room: "r", name: "Ann" });
  await world.advance(60);
  const { frames } = world.server.socket;
  assert.deepEqual(
    frames.map(({ frame }) => frame.case),
    ["connect", "request"],
  );
  const request = frames[1]?.frame;
  assert.ok(request?.case === "request" && request.value.method.case === "room");
  const { method } = request.value.method.value;
  assert.ok(method.case === "join");
  assert.deepEqual(
    method.value.sessions.map(({ session, sections }) => [session, sections.length]),
    [["sub", 8]],
  );
  assert.equal(room.state, "connecting");
  await world.advance(100);
  await connecting;
  assert.equal(room.state, "connected");
  assert.equal(room.localParticipant.id, "me-1");
});

test("[SIG-6] participants and streams follow snapshot and events; a gap is closed by a snapshot", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  assert.deepEqual([...room.remoteParticipants.keys()], ["bob"]);
  assert.equal(room.remoteParticipants.get("bob")?.publications.size, 2);
  const seen: string[] = [];
  room.on("participantConnected", ({ id }) => seen.push(`+${id}`));
  room.on("participantDisconnected", ({ id }, reason) => seen.push(`-${id} ${reason}`));
  room.on("trackUnpublished", ({ id }) => seen.push(`track ${id}`));
  world.server.event({ case: "participantJoined", value: { participant: world.server.addParticipant("carol") } });
  assert.deepEqual(seen, ["+carol"]);
  // Lost on the way: dave came.
  world.server.addParticipant("dave");
  world.server.revision += 1n;
  world.server.event({ case: "participantLeft", value: { participantId: "bob" } });
  world.server.participants = world.server.participants.filter(({ participantId }) => participantId !== "bob");
  world.server.streams = [];
  await world.advance(200);
  assert.deepEqual(seen, ["+carol", "track 100:0", "track 100:1", "-bob left", "+dave"]);
});

test("a track is given out only when the packets carry its stream", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const video = room.remoteParticipants.get("bob")?.getPublication("camera");
  assert.ok(video);
  const events: string[] = [];
  room.on("trackSubscribed", (_track, { id }) => events.push(`subscribed ${id}`));
  room.on("trackUnsubscribed", ({ id }) => events.push(`unsubscribed ${id}`));
  video.setVisible(true);
  await world.advance(200);
  const mid = [...world.server.bindings].find(([slot, stream]) => stream === 100 && slot === "1")?.[0];
  assert.equal(mid, "1");
  const slot = world.peers[0]?.transceivers[1];
  slot?.play(77, 1);
  await world.advance(100);
  assert.equal(video.track, undefined, "somebody else's packets");
  slot?.play(100, 2);
  await world.advance(100);
  assert.equal(video.track, slot?.receiver.track.asTrack());
  slot?.play(77, 3);
  await world.advance(300);
  assert.equal(video.track, undefined);
  video.setVisible(false);
  await world.advance(200);
  assert.equal(world.server.bindings.get("1"), 0);
  assert.deepEqual(events, ["subscribed 100:1", "unsubscribed 100:1"]);
});

test("more tiles than pairs: one new offer, then all are bound", async () => {
  const world = new FakeWorld();
  for (let index = 0; index < 9; index += 1) {
    world.server.addParticipant(`p${index}`);
    world.server.addStream(100 + index, `p${index}`, camera);
  }
  const room = await joined(world, { initialPairs: 2 });
  for (const participant of room.remoteParticipants.values()) participant.getPublication("camera")?.setVisible(true);
  await world.advance(500);
  const updates = world.server.requests.filter(({ method }) => method.case === "updateSession");
  assert.equal(updates.length, 1);
  const bound = [...world.server.bindings.values()].filter((stream) => stream !== 0);
  assert.equal(bound.length, 18);
  assert.equal(world.peers.length, 1, "the same PeerConnection");
});

test("[SIG-4] a broken socket is resumed: nothing missing, nothing twice, media untouched", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const data: string[] = [];
  const states: string[] = [];
  room.on("dataReceived", ({ payload }) => data.push(new TextDecoder().decode(payload)));
  room.on("connectionStateChanged", (state) => states.push(state));
  const say = (text: string): void => {
    world.server.event(
      { case: "dataReceived", value: { payload: new TextEncoder().encode(text), reliable: true } },
      false,
    );
  };
  say("1");
  world.server.cut();
  say("2");
  const sending = room.localParticipant.sendData("while away");
  await world.advance(1_000);
  await sending;
  say("3");
  assert.deepEqual(data, ["1", "2", "3"]);
  assert.deepEqual(states, ["reconnecting", "connected"]);
  assert.equal(world.server.joins, 1);
  assert.equal(world.peers.length, 1);
});

test("[SIG-4] a silent socket is found by its heartbeat and resumed", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.cut(true);
  await world.advance(world.server.heartbeatIntervalMs + 5_500);
  assert.equal(room.state, "connected");
  assert.equal(world.server.sockets.length, 2);
});

test("[SIG-4] a dead way is found two seconds after the first doubt, however many there are", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.isReachable = false;
  for (let doubt = 0; doubt < 20; doubt += 1) {
    world.networkChanged(false);
    await world.advance(80);
  }
  assert.equal(room.state, "connected");
  await world.advance(450);
  assert.equal(room.state, "reconnecting");
});

test("[SIG-4] a server that was started again: same room, new PeerConnections, same streams", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const publishing = room.localParticipant.setMicrophoneEnabled(true);
  await world.advance(300);
  const publication = await publishing;
  world.server.isReachable = false;
  world.server.restart();
  await world.advance(4_000);
  assert.equal(room.state, "reconnecting");
  world.server.isReachable = true;
  const bob = room.remoteParticipants.get("bob");
  const gone: string[] = [];
  room.on("participantDisconnected", ({ id }) => gone.push(id));
  await world.advance(5_000);
  assert.equal(room.state, "connected");
  assert.equal(world.server.joins, 2);
  const join = world.server.requests.findLast(({ method }) => method.case === "join")?.method;
  assert.ok(join?.case === "join");
  assert.equal(join.value.replacesParticipantId, "me-1");
  assert.deepEqual(join.value.sessions.map(({ session }) => session).toSorted(), ["pub", "sub"]);
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 2);
  assert.equal(room.remoteParticipants.get("bob"), bob, "the same object");
  assert.deepEqual(gone, []);
  assert.equal(room.localParticipant.getPublication("microphone"), publication);
});

test("session-lost: a new PeerConnection for that session only, bound as before", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  await joined(world);
  await world.advance(200);
  assert.equal(world.peers.length, 1);
  world.server.event({ case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } }, false);
  await world.advance(500);
  assert.equal(world.peers.length, 2);
  assert.ok(world.peers[0]?.closed);
  const open = world.server.requests.findLast(({ method }) => method.case === "openSession")?.method;
  assert.ok(open?.case === "openSession");
  assert.deepEqual(
    open.value.bindings.map(({ streamId }) => streamId),
    [100],
  );
});

/** Bob's picture is looked at and comes; returns its slot. */
async function bobsPicture(world: FakeWorld, room: Room, peer = world.peers[0]): Promise<FakeTransceiver> {
  room.remoteParticipants.get("bob")?.getPublication("camera")?.setVisible(true);
  await world.advance(200);
  const slot = peer?.transceivers[1];
  assert.ok(slot);
  slot.play(100, world.clock.monoMs());
  await world.advance(100);
  return slot;
}

async function flow(world: FakeWorld, peer: FakePeerConnection, durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 600) {
    peer.packetsReceived += 50;
    await world.advance(600);
  }
}

test("[SIG-4] a path that goes silent is restarted, and replaced when that does not help", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const [peer] = world.peers;
  assert.ok(peer);
  await bobsPicture(world, room);
  await flow(world, peer, 6_000);
  await world.advance(3_000);
  assert.equal(peer.restarts, 1);
  await world.advance(4_000);
  assert.ok(world.peers.length >= 2);
});

test("[SIG-4] everybody mutes and nothing comes: no ICE restart; unmuted, the silence counts again", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  const stream = world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const [peer] = world.peers;
  assert.ok(peer);
  await bobsPicture(world, room);
  await flow(world, peer, 6_000);
  const tell = (muted: boolean): void => {
    for (const track of stream.tracks) track.muted = muted;
    world.server.event({ case: "streamUpdated", value: { stream } });
  };
  tell(true);
  // What is left are the browser's own checks.
  for (let check = 0; check < 10; check += 1) {
    await world.advance(2_500);
    peer.packetsReceived += 1;
  }
  assert.equal(peer.restarts, 0);
  tell(false);
  await flow(world, peer, 3_000);
  await world.advance(3_000);
  assert.equal(peer.restarts, 1);
});

test("[SIG-4] make before break: the old PeerConnection stays until the new one shows what it showed", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const seen: string[] = [];
  room.on("trackSubscribed", (track, { id }) => seen.push(`+${id} ${world.trackName(track)}`));
  room.on("trackUnsubscribed", ({ id }) => seen.push(`-${id}`));
  const before = await bobsPicture(world, room);
  world.server.event({ case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } }, false);
  await world.advance(1_000);
  const [old, young] = world.peers;
  assert.equal(world.peers.length, 2);
  assert.equal(young?.connectionState, "connected");
  assert.equal(old?.closed, false, "the new one is connected, but its picture is not there");
  const bob = room.remoteParticipants.get("bob")?.getPublication("camera");
  assert.equal(bob?.track, before.receiver.track.asTrack());
  const after = await bobsPicture(world, room, young);
  assert.equal(bob?.track, after.receiver.track.asTrack());
  assert.equal(old?.closed, true);
  assert.deepEqual(seen, ["+100:1 peer 0 mid 1", "+100:1 peer 1 mid 1"], "nobody was ever without it");
});

test("[SIG-4] make before break has an end: five seconds after the new one is connected", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  await bobsPicture(world, room);
  FakePeerConnection.connectsByItself = false;
  world.server.event({ case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } }, false);
  await world.advance(30_000);
  const bob = room.remoteParticipants.get("bob")?.getPublication("camera");
  assert.ok(world.peers.length > 2, "it was tried several times");
  assert.equal(world.peers[0]?.closed, false, "the last picture is better than none");
  assert.equal(world.peers.filter(({ closed }) => !closed).length, 2, "and no attempt is left over");
  world.peers.at(-1)?.setState("connected");
  await world.advance(4_900);
  assert.equal(bob?.isSubscribed, true);
  await world.advance(200);
  assert.equal(bob?.isSubscribed, false);
  assert.equal(world.peers[0]?.closed, true);
});

test("[SIG-4] make before break: who is no longer looked at, or has left, is not kept", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  await bobsPicture(world, room);
  FakePeerConnection.connectsByItself = false;
  world.server.event({ case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } }, false);
  await world.advance(500);
  const bob = room.remoteParticipants.get("bob")?.getPublication("camera");
  bob?.setVisible(false);
  await world.advance(50);
  assert.equal(bob?.track, undefined);
});

test("[SIG-4] a join in place of the old participant is make before break too", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  const before = await bobsPicture(world, room);
  world.server.restart();
  await world.advance(2_000);
  assert.equal(world.server.joins, 2);
  assert.equal(room.state, "connected");
  const bob = room.remoteParticipants.get("bob")?.getPublication("camera");
  assert.equal(bob?.track, before.receiver.track.asTrack());
  const after = await bobsPicture(world, room, world.peers[1]);
  assert.equal(bob?.track, after.receiver.track.asTrack());
  assert.equal(world.peers[0]?.closed, true);
});

test("[SIG-4] a publisher that makes a new PeerConnection keeps its publications in the eyes of the others", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  const stream = world.server.addStream(100, "bob", camera);
  const room = await joined(world);
  await bobsPicture(world, room);
  const gone: string[] = [];
  room.on("trackUnpublished", ({ id }) => gone.push(id));
  world.server.event({ case: "streamUpdated", value: { stream: { ...stream, tracks: [] } } });
  const bob = room.remoteParticipants.get("bob")?.getPublication("camera");
  assert.equal(bob?.live, false);
  world.server.event({ case: "streamUpdated", value: { stream } });
  assert.equal(bob?.live, true);
  assert.deepEqual(gone, []);
  world.server.event({ case: "streamUnpublished", value: { streamId: 100 } });
  assert.deepEqual(gone, ["100:0", "100:1"]);
});

test("an ICE restart that brings packets back keeps the PeerConnection", async () => {
  const world = new FakeWorld();
  await joined(world);
  const [peer] = world.peers;
  assert.ok(peer);
  world.networkChanged(true);
  for (let step = 0; step < 20; step += 1) {
    peer.packetsReceived += 50;
    await world.advance(300);
  }
  assert.equal(peer.restarts, 1);
  assert.equal(peer.closed, false);
});

test("[SIG-5] terminal errors end the room; an expired token is replaced by the function's next", async () => {
  const world = new FakeWorld();
  world.server.refusal = "token-bad-signature";
  const refused = roomOn(world.platform);
  const check = assert.rejects(refused.connect("ws://server", "bad", { room: "r" }), { code: "token-bad-signature" });
  await world.advance(300);
  await check;
  assert.equal(refused.state, "disconnected");

  let count = 0;
  const room = roomOn(world.platform);
  const connecting = room.connect("ws://server", () => `token-${(count += 1)}`, { room: "r" });
  await world.advance(300);
  await connecting;
  world.server.disconnect("token-expired", false);
  await world.advance(1_000);
  assert.equal(room.state, "connected");
  assert.equal(world.server.tokens.at(-1), "token-2");
  const ended: unknown[] = [];
  room.on("disconnected", (reason, error) => ended.push(reason, error?.code));
  world.server.disconnect("token-revoked", false);
  await settle();
  assert.deepEqual(ended, ["failed", "token-revoked"]);
  await world.advance(60_000);
  assert.equal(room.state, "disconnected");
});

test("[SIG-5] a token is refreshed before it expires", async () => {
  const world = new FakeWorld();
  world.server.tokenExpiresAtUnixMs = world.clock.unixMs() + 100_000;
  let count = 0;
  const room = roomOn(world.platform);
  const connecting = room.connect("ws://server", () => `token-${(count += 1)}`, { room: "r" });
  await world.advance(300);
  await connecting;
  await world.advance(85_000);
  assert.deepEqual(world.server.tokens, ["token-1", "token-2"]);
});

test("[SIG-6] removed, closed and moved", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const publishing = room.localParticipant.setMicrophoneEnabled(true);
  await world.advance(300);
  await publishing;
  const moved: string[] = [];
  room.on("moved", (to) => moved.push(to));
  const participant = create(ParticipantSchema, { participantId: "me-9", name: "Ann" });
  const joinedThere = {
    participantId: "me-9",
    snapshot: { room: { roomId: "other" }, revision: 1n, participants: [participant] },
  };
  world.server.keep({
    case: "event",
    value: { roomId: "r", event: { case: "moved", value: { toRoomId: "other", joined: joinedThere } } },
  });
  await world.advance(500);
  assert.deepEqual(moved, ["other"]);
  assert.equal(room.id, "other");
  const opened = world.server.requests.filter(
    ({ roomId, method }) => roomId === "other" && method.case === "openSession",
  );
  assert.deepEqual(opened.map(({ method }) => (method.value as { session: string }).session).toSorted(), [
    "pub",
    "sub",
  ]);
  const ended: string[] = [];
  room.on("disconnected", (reason) => ended.push(reason));
  world.server.keep({
    case: "event",
    value: { roomId: "other", event: { case: "roomClosed", value: { reason: "over" } } },
  });
  assert.deepEqual(ended, ["room-closed"]);
  assert.ok(world.peers.every(({ closed }) => closed));
});

test("[SIG-4] what was asked of the room before a move may fail there; we are in the new one and stay", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("updateSelf", "not-in-room");
  const asking = assert.rejects(room.localParticipant.setHandRaised(true), { code: "connection-lost" });
  const joinedThere = { participantId: "me-9", snapshot: { room: { roomId: "other" }, revision: 1n } };
  world.server.keep({
    case: "event",
    value: { roomId: "r", event: { case: "moved", value: { toRoomId: "other", joined: joinedThere } } },
  });
  await world.advance(2_000);
  await asking;
  assert.equal(room.id, "other");
  assert.equal(room.state, "connected");
  assert.equal(world.server.joins, 1, "it joined again");
});

test("speakers, quality, mute by host, hands", async () => {
  const world = new FakeWorld();
  const bob = world.server.addParticipant("bob");
  const room = await joined(world);
  world.server.event({ case: "speakersChanged", value: { speakers: [{ participantId: "bob", level: 127 }] } }, false);
  assert.deepEqual(
    room.activeSpeakers.map(({ id, audioLevel }) => [id, audioLevel]),
    [["bob", 1]],
  );
  world.server.event({ case: "speakersChanged", value: {} }, false);
  assert.equal(room.remoteParticipants.get("bob")?.isSpeaking, false);
  world.server.event({ case: "participantUpdated", value: { participant: { ...bob, handRaised: true } } });
  assert.equal(room.remoteParticipants.get("bob")?.handRaised, true);
  const publishing = room.localParticipant.setMicrophoneEnabled(true);
  await world.advance(300);
  const publication = await publishing;
  world.server.event({ case: "mutedByHost", value: { streamId: 5000, mid: "0", byParticipantId: "bob" } }, false);
  assert.equal(publication?.muted, true);
  assert.equal(world.devices.opened[0]?.enabled, false);
  world.devices.opened[0]?.unplug();
  await world.advance(100);
});

test("[SIG-6] who waits and who speaks: what comes late, or again, is no news; a server that does not number them is followed", async () => {
  const world = new FakeWorld();
  const [bob, carol] = [world.server.addParticipant("bob"), world.server.addParticipant("carol")];
  const room = await joined(world);
  const told: string[] = [];
  room.on("lobbyChanged", (waiting) => told.push(`lobby ${waiting.map(({ id }) => id).join()}`));
  room.on("activeSpeakersChanged", (speakers) => told.push(`speakers ${speakers.map(({ id }) => id).join()}`));
  const lobby = (revision: bigint, ...waiting: string[]): void => {
    const value = { revision, waiting: waiting.map((participantId) => ({ participantId })) };
    world.server.event({ case: "lobbyChanged", value }, false);
  };
  const speakers = (revision: bigint, ...speaking: string[]): void => {
    const value = { revision, speakers: speaking.map((participantId) => ({ participantId, level: 100 })) };
    world.server.event({ case: "speakersChanged", value }, false);
  };
  lobby(0n, "old");
  speakers(0n, "bob");
  lobby(12n, "x", "y");
  lobby(11n, "x");
  lobby(12n, "x", "y");
  speakers(21n, "carol", "bob");
  speakers(20n, "carol");
  speakers(21n, "carol", "bob");
  assert.deepEqual(told.splice(0), ["lobby old", "speakers bob", "lobby x,y", "speakers carol,bob"]);

  // A snapshot that was made before the last of them, and one after; a gap asks for it.
  for (const [made, expected] of [
    ["before", []],
    ["after", ["lobby z", "speakers "]],
  ] as const) {
    const isNew = made === "after";
    world.server.extras = {
      lobby: isNew ? [{ participantId: "z" }] : [{ participantId: "x" }],
      lobbyRevision: isNew ? 13n : 11n,
      speakers: { revision: isNew ? 22n : 20n, speakers: isNew ? [] : [{ participantId: "bob", level: 90 }] },
    };
    world.server.revision += 1n;
    world.server.event({ case: "participantUpdated", value: { participant: bob } });
    await world.advance(200);
    assert.deepEqual(told.splice(0), expected, `made ${made}`);
  }
  // Of somebody who has not come yet, as far as we know: it holds when it is told again.
  speakers(23n, "dora", "carol");
  assert.deepEqual(
    room.activeSpeakers.map(({ id }) => id),
    ["carol"],
  );
  world.server.event({ case: "participantJoined", value: { participant: world.server.addParticipant("dora") } });
  speakers(23n, "dora", "carol");
  assert.deepEqual(
    room.activeSpeakers.map(({ id }) => id),
    ["dora", "carol"],
  );
  assert.equal(carol.participantId, "carol");
});

test("[SIG-6] who joins, or is moved, is told who speaks; numbers of another room are none of this one", async () => {
  const world = new FakeWorld();
  world.server.addParticipant("bob");
  world.server.extras = { speakers: { revision: 1_000n, speakers: [{ participantId: "bob", level: 90 }] } };
  const room = await joined(world);
  assert.deepEqual(
    room.activeSpeakers.map(({ id }) => id),
    ["bob"],
  );
  const snapshot = {
    ...{ room: { roomId: "other" }, revision: 1n, lobbyRevision: 3n, lobby: [{ participantId: "w" }] },
    participants: [{ participantId: "me-other" }, { participantId: "eve" }],
    speakers: { revision: 2n, speakers: [{ participantId: "eve", level: 90 }] },
  };
  const value = { toRoomId: "other", joined: { participantId: "me-other", snapshot } };
  world.server.keep({ case: "event", value: { roomId: "r", event: { case: "moved", value } } });
  await world.advance(300);
  assert.deepEqual(
    room.activeSpeakers.map(({ id }) => id),
    ["eve"],
  );
  assert.deepEqual(
    room.lobby.map(({ id }) => id),
    ["w"],
  );
});

test("leaving tells the server and closes everything; the room can connect again", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  const leaving = room.disconnect();
  await world.advance(100);
  await leaving;
  assert.equal(room.state, "disconnected");
  const last = world.server.socket.frames.at(-1)?.frame;
  assert.ok(
    last?.case === "request" && last.value.method.case === "room" && last.value.method.value.method.case === "leave",
  );
  const again = room.connect("ws://server", "token", { room: "r" });
  await world.advance(300);
  await again;
  assert.equal(room.state, "connected");
});

test("a message that is too large is refused here and does not end the connection", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await assert.rejects(room.localParticipant.sendData(new Uint8Array(1 << 20)), { code: "message-too-large" });
  await world.advance(200);
  assert.equal(room.state, "connected");
});

test("a connection that is refused while the offers are made rejects with the server's reason", async () => {
  const world = new FakeWorld();
  world.server.refusal = "token-unknown-app";
  const create = world.platform.createPeerConnection;
  assert.ok(create);
  const platform = {
    ...world.platform,
    createPeerConnection: (configuration: RTCConfiguration): RTCPeerConnection => {
      const peer = create(configuration);
      const offer = peer.createOffer.bind(peer) as () => Promise<RTCSessionDescriptionInit>;
      const made = (): Promise<RTCSessionDescriptionInit> =>
        new Promise((resolve) => void world.clock.after(1_000, () => resolve(offer())));
      return Object.assign(peer, { createOffer: made });
    },
  };
  const room = roomOn(platform);
  const check = assert.rejects(room.connect("ws://server", "token", { room: "r" }), { code: "token-unknown-app" });
  await world.advance(3_000);
  await check;
});
