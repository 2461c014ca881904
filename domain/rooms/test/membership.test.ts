import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaveReason, Role, RoomKind } from "@parley/protocol";
import { audioVideo, ordinary, publishing, RoomBench } from "./room-bench.ts";

const error = (answer: ReturnType<RoomBench["command"]>) => (answer.ok ? "no error" : answer.error);

test("members see each other come and go, in revisions without gaps", () => {
  const bench = new RoomBench();
  const alice = bench.join("alice");
  const bob = bench.join("bob");
  assert.equal(bob.snapshot?.participants.length, 2);
  assert.equal(bench.valuesOf("alice", "participantJoined")[0]?.participant?.userId, "bob");
  bench.command("bob", { case: "leave", value: {} });
  const [left] = bench.valuesOf("alice", "participantLeft");
  assert.equal(left?.participantId, bob.participantId);
  assert.equal(left?.reason, LeaveReason.LEFT);
  const revisions = bench.eventsOf("alice").map(({ revision }) => revision);
  const first = alice.snapshot?.revision ?? 0n;
  assert.deepEqual(
    revisions,
    revisions.map((_, index) => first + BigInt(index) + 1n),
  );
});

test("[SIG-1] an empty room vanishes; joining again makes a fresh one", () => {
  const bench = new RoomBench();
  bench.join("alice");
  assert.equal(bench.host.roomCount, 1);
  bench.command("alice", { case: "leave", value: {} });
  assert.equal(bench.host.roomCount, 0);
  assert.equal(error(bench.command("alice", { case: "getSnapshot", value: {} })), "not-in-room");
});

test("a repeated command is answered once more and done once", () => {
  const bench = new RoomBench();
  const join = { case: "join", value: {} } as const;
  const first = bench.command("alice", join, { requestId: 77 });
  const again = bench.command("alice", join, { requestId: 77 });
  assert.deepEqual(again, first);
  bench.command("alice", { case: "leave", value: {} }, { requestId: 78 });
  // The late repeat of a join must not bring back who has left.
  bench.command("alice", join, { requestId: 77 });
  assert.equal(bench.host.roomCount, 0);
});

test("connections that nobody announces for 3 s leave", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.join("bob");
  bench.gone("bob");
  bench.advance(2_900);
  assert.equal(bench.valuesOf("alice", "participantLeft").length, 0);
  bench.advance(300);
  assert.equal(bench.valuesOf("alice", "participantLeft")[0]?.reason, LeaveReason.CONNECTION_LOST);
  bench.handle({ type: "connection-gone", appId: "app", connectionId: "alice" });
  assert.equal(bench.host.roomCount, 0);
});

test("a stall of our own is nobody's absence", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.advance(200);
  bench.nowMs += 60_000;
  bench.handle({ type: "tick" });
  assert.equal(bench.host.participantCount, 1);
  bench.advance(2_000, false);
  assert.equal(bench.host.participantCount, 1);
  bench.advance(1_500, false);
  assert.equal(bench.host.participantCount, 0);
});

test("apps do not meet: same room name, two rooms", () => {
  const bench = new RoomBench();
  bench.join("alice");
  const other = bench.join("bob", { appId: "other" });
  assert.equal(other.snapshot?.participants.length, 1);
  bench.handle({ type: "connection-gone", appId: "other", connectionId: "alice" });
  assert.equal(bench.host.roomCount, 2, "a connection of one app is none of another's");
});

test("who may come in: token for the room, creation, lock, ban, full", () => {
  const bench = new RoomBench({ maxParticipants: 3 });
  const join = { case: "join", value: {} } as const;
  assert.equal(error(bench.command("x", join, { grants: { ...ordinary, create: false } })), "room-not-there");
  bench.join("alice");
  assert.equal(error(bench.command("x", join, { grants: { ...ordinary, roomId: "elsewhere" } })), "wrong-room");
  assert.equal(error(bench.command("alice", join)), "already-in-room");
  const bob = bench.join("bob", { grants: ordinary });
  bench.command("alice", { case: "updateRoom", value: { locked: true } });
  assert.equal(error(bench.command("x", join, { grants: ordinary })), "room-locked");
  bench.command("alice", { case: "updateRoom", value: { locked: false } });
  bench.join("carol");
  assert.equal(error(bench.command("x", join)), "room-full");
  const ban = { case: "remove", value: { participantId: bob.participantId, ban: true } } as const;
  assert.equal(
    error(bench.command("bob", { case: "moderate", value: { command: ban } }, { grants: ordinary })),
    "permission-denied",
  );
  assert.ok(bench.command("alice", { case: "moderate", value: { command: ban } }).ok);
  assert.equal(bench.valuesOf("bob", "removed")[0]?.error?.name, "banned");
  assert.equal(error(bench.command("bob again", join, { userId: "bob" })), "banned");
});

test("the lobby: newcomers wait, see nothing, and are let in or not", () => {
  const bench = new RoomBench();
  bench.join("host");
  bench.command("host", { case: "updateRoom", value: { lobbyEnabled: true } });
  const waiting = bench.join("guest", { grants: ordinary });
  assert.ok(waiting.waiting);
  assert.equal(waiting.snapshot, undefined);
  assert.equal(bench.valuesOf("host", "lobbyChanged")[0]?.waiting[0]?.participantId, waiting.participantId);
  assert.equal(bench.valuesOf("host", "participantJoined").length, 0);
  assert.equal(error(bench.command("guest", { case: "getSnapshot", value: {} })), "in-lobby");
  const admit = (participantIds: string[], deny: boolean) =>
    bench.command("host", { case: "moderate", value: { command: { case: "admit", value: { participantIds, deny } } } });
  admit([waiting.participantId], false);
  const [admitted] = bench.valuesOf("guest", "admitted");
  assert.equal(admitted?.joined?.snapshot?.participants.length, 2);
  assert.equal(bench.valuesOf("host", "participantJoined").length, 1);
  const denied = bench.join("unwanted", { grants: ordinary });
  admit([denied.participantId], true);
  const [denial] = bench.valuesOf("unwanted", "admitted");
  assert.deepEqual([denial?.admitted, denial?.error?.name], [false, "not-admitted"]);
  assert.deepEqual(
    bench.valuesOf("unwanted", "removed").map((removed) => removed.error?.name),
    ["not-admitted"],
  );
  assert.equal(error(bench.command("unwanted", { case: "getSnapshot", value: {} })), "not-in-room");
});

test("[SIG-6] the lobby has a revision of its own, comes twice again after its last change, and is told to whoever becomes a host", () => {
  const bench = new RoomBench();
  bench.join("host");
  const bob = bench.join("bob", { grants: ordinary });
  bench.command("host", { case: "updateRoom", value: { lobbyEnabled: true } });
  const ids = (): string[] =>
    bench
      .valuesOf("host", "lobbyChanged")
      .map(({ revision, waiting }) => `${revision} ${waiting.map((one) => one.userId).join()}`);
  bench.join("ann", { grants: ordinary });
  bench.join("ben", { grants: ordinary });
  const [first, second] = bench.valuesOf("host", "lobbyChanged");
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(second.revision, first.revision + 1n);
  const snapshots = ["host", "bob"].map((who) =>
    bench.command(who, { case: "getSnapshot", value: {} }, who === "bob" ? { grants: ordinary } : {}),
  );
  const revisions = snapshots.map((answer) =>
    answer.ok && answer.response.result.case === "snapshot" ? answer.response.result.value.lobbyRevision : undefined,
  );
  assert.deepEqual(revisions, [second.revision, 0n]);
  bench.advance(20_000);
  const last = `${second.revision} ann,ben`;
  assert.deepEqual(ids(), [`${first.revision} ann`, last, last, last], "after 2 s and 8 s");
  bench.command("ann", { case: "leave", value: {} }, { grants: ordinary });
  assert.equal(ids().at(-1), `${second.revision + 1n} ben`);
  assert.equal(bench.valuesOf("bob", "lobbyChanged").length, 0);
  const permissions = { publish: true, subscribe: true, moderate: true };
  const promote = { case: "setPermissions" as const, value: { participantId: bob.participantId, permissions } };
  assert.ok(bench.command("host", { case: "moderate", value: { command: promote } }).ok);
  assert.deepEqual(
    bench.valuesOf("bob", "lobbyChanged").map(({ waiting }) => waiting.map((one) => one.userId)),
    [["ben"]],
  );
});

test("hidden members see, are not seen, not counted, and cannot publish", () => {
  const bench = new RoomBench();
  bench.join("alice");
  const grants = { create: true, permissions: { publish: true, subscribe: true, hidden: true } };
  const ghost = bench.join("ghost", { grants });
  assert.equal(ghost.snapshot?.participants.length, 2, "it sees itself");
  assert.equal(ghost.snapshot?.room?.participantCount, 1);
  assert.equal(bench.eventsOf("alice").length, 0);
  const answer = bench.command("ghost", { case: "openSession", value: publishing("camera", audioVideo) }, { grants });
  assert.equal(error(answer), "permission-denied");
  bench.command("ghost", { case: "leave", value: {} }, { grants });
  assert.equal(bench.eventsOf("alice").length, 0);
});

test("a one-to-one room takes two", () => {
  const bench = new RoomBench();
  bench.join("alice", { join: { kind: RoomKind.ONE_TO_ONE } });
  bench.join("bob");
  assert.equal(error(bench.command("carol", { case: "join", value: {} })), "room-full");
});

test("a live class counts its viewers and does not list them; a viewer that becomes a speaker is shown", () => {
  const bench = new RoomBench();
  bench.join("teacher", { join: { kind: RoomKind.LIVE_CLASS } });
  const grants = { permissions: { subscribe: true, publish: true }, role: Role.VIEWER };
  const pupil = bench.join("pupil", { grants });
  bench.join("other pupil", { grants });
  assert.equal(bench.valuesOf("teacher", "participantJoined").length, 0);
  assert.equal(pupil.snapshot?.room?.participantCount, 2);
  bench.advance(100);
  assert.equal(bench.valuesOf("teacher", "roomUpdated")[0]?.room?.participantCount, 3);
  const answer = bench.command("pupil", { case: "openSession", value: publishing("camera", audioVideo) }, { grants });
  assert.equal(error(answer), "permission-denied");

  const { participantId } = pupil;
  const permissions = { subscribe: true, publish: true };
  const promote = { case: "setPermissions", value: { participantId, role: Role.SPEAKER, permissions } } as const;
  bench.command("teacher", { case: "moderate", value: { command: promote } });
  assert.equal(bench.valuesOf("other pupil", "participantJoined")[0]?.participant?.participantId, participantId);
  bench.publish("pupil", "camera", audioVideo, { grants });
});

test("two tabs of one user are two participants; a lost client takes its own place without being seen to leave", () => {
  const bench = new RoomBench();
  bench.join("watcher");
  const tab = bench.join("tab 1", { userId: "user" });
  bench.join("tab 2", { userId: "user" });
  assert.equal(bench.valuesOf("watcher", "participantJoined").length, 2);
  const streamId = bench.publish("tab 1", "camera", audioVideo, { userId: "user" });

  const replaces = { replacesParticipantId: tab.participantId };
  const back = bench.join("tab 1 again", { userId: "user", join: replaces });
  assert.equal(back.participantId, tab.participantId);
  assert.equal(bench.valuesOf("watcher", "participantLeft").length, 0);
  assert.equal(bench.valuesOf("tab 1", "removed")[0]?.error?.name, "replaced");
  assert.equal(
    bench.publish("tab 1 again", "camera", audioVideo, { userId: "user" }),
    streamId,
    "the stream keeps its id",
  );

  const thief = bench.join("thief", { join: replaces });
  assert.notEqual(thief.participantId, tab.participantId, "another user does not get the place");
});

test("[SIG-5] a token that ends takes its participant with it, unless it was renewed", () => {
  const bench = new RoomBench();
  const expiring = { ...ordinary, expiresAtUnixMs: BigInt(bench.nowMs + 5_000) };
  bench.join("alice", { grants: expiring });
  bench.join("bob", { grants: expiring });
  bench.advance(4_000);
  const renewed = { ...ordinary, expiresAtUnixMs: BigInt(bench.nowMs + 60_000) };
  bench.command("bob", { case: "getSnapshot", value: {} }, { grants: renewed });
  bench.advance(1_500);
  assert.equal(bench.valuesOf("alice", "removed")[0]?.error?.name, "token-expired");
  assert.equal(bench.valuesOf("bob", "participantLeft")[0]?.reason, LeaveReason.TOKEN_EXPIRED);
  bench.advance(10_000);
  assert.equal(bench.valuesOf("bob", "removed").length, 0);
});

test("a host closes the room: everybody is told, nothing is left", () => {
  const bench = new RoomBench();
  bench.join("host");
  bench.join("guest", { grants: ordinary });
  bench.publish("guest", "camera", audioVideo, { grants: ordinary });
  bench.command("host", { case: "moderate", value: { command: { case: "closeRoom", value: { reason: "over" } } } });
  assert.equal(bench.valuesOf("guest", "roomClosed")[0]?.reason, "over");
  assert.equal(bench.host.roomCount, 0);
  assert.ok([...bench.grants.values()].every(({ closed }) => closed));
});

test("attributes: merged, removed by an empty value, limited", () => {
  const bench = new RoomBench({ maxAttributesBytes: 20 });
  bench.join("alice");
  bench.join("bob");
  const update = (attributes: Record<string, string>) =>
    bench.command("alice", { case: "updateSelf", value: { attributes } });
  update({ a: "1", b: "2" });
  update({ a: "", c: "3" });
  assert.deepEqual(bench.valuesOf("bob", "participantUpdated").at(-1)?.participant?.attributes, { b: "2", c: "3" });
  assert.equal(error(update({ d: "x".repeat(30) })), "attributes-too-large");
  bench.command("alice", { case: "updateSelf", value: { handRaised: true, name: "Alice" } });
  const last = bench.valuesOf("bob", "participantUpdated").at(-1)?.participant;
  assert.deepEqual([last?.handRaised, last?.name], [true, "Alice"]);
});

test("data messages: to all or some, limited in size and rate", () => {
  const bench = new RoomBench({ maxDataBytes: 10, dataMessagesPerSecond: 2, dataMessageBurst: 3 });
  bench.join("alice");
  const bob = bench.join("bob");
  bench.join("carol");
  const send = (value: { payload?: Uint8Array; toParticipantIds?: string[]; reliable?: boolean }) =>
    bench.command("alice", { case: "sendData", value: { payload: new Uint8Array(1), topic: "t", ...value } });
  send({ reliable: true });
  send({ toParticipantIds: [bob.participantId, "nobody"] });
  assert.deepEqual(
    ["alice", "bob", "carol"].map((who) => bench.valuesOf(who, "dataReceived").length),
    [0, 2, 1],
  );
  const lossy = bench.outputs.filter((output) => output.type === "event" && output.event.event.case === "dataReceived");
  assert.deepEqual(
    lossy.map((output) => output.type === "event" && output.lossy),
    [false, true],
  );
  assert.equal(error(send({ payload: new Uint8Array(11) })), "data-too-large");
  assert.ok(send({}).ok);
  assert.equal(error(send({})), "rate-limited");
  bench.advance(500);
  assert.ok(send({}).ok);
});
