import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import {
  ConnectionAliveSchema,
  LeaveReason,
  SessionOwnerStateSchema,
  type RoomTransfer,
  type RoomTransferReply,
  type SessionGrant,
  type SessionOwnerState,
} from "@parley/protocol";
import { ordinary, RoomBench, type Method } from "./room-bench.ts";

/** Carries transfers to the same host, as the bus does in one process. */
function deliverTransfers(bench: RoomBench): void {
  for (const output of bench.outputs.splice(0)) {
    if (output.type !== "transfer-request") continue;
    const { transfer } = output;
    const replies = bench.handle({ type: "transfer", transfer, replyTo: 1 });
    const reply = replies.find((one) => one.type === "transfer-reply")?.reply;
    bench.handle({ type: "transfer-answered", transferId: transfer.transferId, reply });
  }
}

function move(bench: RoomBench, participantIds: string[], toRoomId: string, roomId = "room", requestId = 500) {
  const value = { command: { case: "move", value: { participantIds, toRoomId } } } as const;
  assert.throws(() => bench.command("host", { case: "moderate", value }, { requestId, roomId }), /no reply/);
  deliverTransfers(bench);
}

test("[SIG-6] a host moves people to another room and back; they keep name, role and connection", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice", { grants: { ...ordinary, roomId: "room" }, join: { name: "Alice" } });
  bench.publish("alice", "camera", undefined, { grants: ordinary });
  move(bench, [alice.participantId], "breakout");
  const [moved] = bench.valuesOf("alice", "moved");
  assert.equal(moved?.toRoomId, "breakout");
  assert.equal(moved?.joined?.snapshot?.participants[0]?.name, "Alice");
  assert.equal(bench.valuesOf("host", "participantLeft").at(-1)?.reason, LeaveReason.MOVED);
  assert.ok(
    [...bench.grants.values()].every(({ closed }) => closed),
    "sessions are opened anew over there",
  );
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }, { roomId: "breakout" }).ok);
  assert.ok(!bench.command("alice", { case: "getSnapshot", value: {} }).ok);

  bench.join("host", { roomId: "breakout" });
  move(bench, [moved?.joined?.participantId ?? ""], "room", "breakout", 501);
  assert.equal(bench.valuesOf("alice", "moved").at(-1)?.toRoomId, "room");
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }).ok);
});

/** What the owners of other rooms are to be asked, as a host's command brings it about. */
function transferOf(bench: RoomBench, participantId: string, toRoomId: string, roomId: string, requestId: number) {
  const command = { case: "move" as const, value: { participantIds: [participantId], toRoomId } };
  bench.outputs.length = 0;
  assert.throws(
    () => bench.command("host", { case: "moderate", value: { command } }, { requestId, roomId }),
    /no reply/,
  );
  const request = bench.outputs.find((output) => output.type === "transfer-request");
  assert.ok(request?.type === "transfer-request");
  return request.transfer;
}

function take(bench: RoomBench, transfer: RoomTransfer): RoomTransferReply {
  const reply = bench.handle({ type: "transfer", transfer, replyTo: 1 }).find(({ type }) => type === "transfer-reply");
  assert.ok(reply?.type === "transfer-reply");
  return reply.reply;
}

test("[SIG-6] moved back before the first room has heard that the other one took her: she stays", () => {
  const bench = new RoomBench();
  bench.join("host");
  bench.join("host", { roomId: "breakout" });
  const alice = bench.join("alice");
  bench.publish("alice");
  const away = transferOf(bench, alice.participantId, "breakout", "room", 500);
  const taken = take(bench, away);
  const [there] = taken.results;
  assert.ok(there?.result.case === "joined");
  const back = transferOf(bench, there.result.value.participantId, "room", "breakout", 501);
  const returned = take(bench, back);
  bench.handle({ type: "transfer-answered", transferId: away.transferId, reply: taken });
  bench.handle({ type: "transfer-answered", transferId: back.transferId, reply: returned });

  const where = (roomId: string): string[] => {
    const answer = bench.command("host", { case: "getSnapshot", value: {} }, { roomId });
    assert.ok(answer.ok && answer.response.result.case === "snapshot");
    return answer.response.result.value.participants.map(({ userId }) => userId).sort();
  };
  assert.deepEqual([where("room"), where("breakout")], [["alice", "host"], ["host"]]);
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }).ok);
  const told = bench.eventsOf("alice").filter(({ event }) => event.case === "moved");
  assert.deepEqual(
    told.map(({ roomId }) => roomId),
    ["breakout"],
    "she never knew of the breakout room, and this is not for where she is",
  );
  assert.equal(heldBy(bench).length, 1, "she goes on sending");

  const again = transferOf(bench, alice.participantId, "breakout", "room", 502);
  bench.handle({ type: "transfer-answered", transferId: again.transferId, reply: take(bench, again) });
  assert.deepEqual([where("room"), where("breakout")], [["host"], ["alice", "host"]]);
});

test("whoever waits in the lobby of the room it is moved to is let in, and everybody there sees it", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice");
  bench.join("owner", { roomId: "breakout" });
  bench.command("owner", { case: "updateRoom", value: { lobbyEnabled: true } }, { roomId: "breakout" });
  const waiting = bench.join("alice", { roomId: "breakout", grants: ordinary });
  assert.equal(waiting.waiting, true);
  move(bench, [alice.participantId], "breakout");
  const [admitted] = bench.valuesOf("alice", "admitted");
  assert.deepEqual([admitted?.admitted, admitted?.joined?.participantId], [true, waiting.participantId]);
  const joined = bench.valuesOf("owner", "participantJoined").map(({ participant }) => participant?.participantId);
  assert.deepEqual(joined, [waiting.participantId]);
  assert.deepEqual(bench.valuesOf("owner", "lobbyChanged").at(-1)?.waiting, []);
});

test("a move is answered once the other room has answered; its repeat waits for the same answer", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice");
  const participantIds = [alice.participantId];
  const method: Method = {
    case: "moderate",
    value: { command: { case: "move", value: { participantIds, toRoomId: "x" } } },
  };
  for (let repeat = 0; repeat < 2; repeat += 1) {
    assert.throws(() => bench.command("host", method, { requestId: 9 }), /no reply/);
  }
  const requests = bench.outputs.filter(({ type }) => type === "transfer-request");
  assert.equal(requests.length, 1);
  const [request] = requests;
  assert.ok(request?.type === "transfer-request");
  const outputs = bench.handle({
    type: "transfer-answered",
    transferId: request.transfer.transferId,
    reply: undefined,
  });
  assert.equal(outputs.filter(({ type }) => type === "reply").length, 2);
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }).ok, "nobody answered: everybody stays");
});

function heldBy(bench: RoomBench): SessionGrant[] {
  return [...bench.grants.values()].filter(({ closed }) => !closed);
}

test("a process that starts rebuilds its rooms from the grants that nodes hold, and media goes on", () => {
  const before = new RoomBench();
  before.join("host", { join: { attributes: { seat: "1" } } });
  const streamId = before.publish("host");
  before.join("guest", { grants: ordinary });
  before.receive("guest", undefined, "sub", { grants: ordinary });
  const bindings = [
    { mid: "0", streamId },
    { mid: "1", streamName: "camera" },
  ];
  before.command("guest", { case: "bindSlots", value: { session: "sub", bindings } }, { grants: ordinary });
  before.command("host", { case: "updateRoom", value: { locked: true, attributes: { topic: "x" } } });
  before.command("host", { case: "setTrackMuted", value: { streamId, mid: "0", muted: true } });
  const held = heldBy(before);

  const after = new RoomBench({}, 2);
  after.handle({ type: "recover" });
  assert.throws(() => after.command("guest", { case: "getSnapshot", value: {} }, { requestId: 900 }), /no reply/);
  for (const grant of held.toReversed()) after.handle({ type: "grant-held", grant });
  after.outputs.length = 0;
  after.advance(500, false);

  const reply = after.outputs.find((output) => output.type === "reply");
  assert.ok(reply?.type === "reply" && reply.reply.result.case === "response", "what came meanwhile is answered");
  const { result } = reply.reply.result.value;
  assert.ok(result.case === "snapshot");
  assert.deepEqual(result.value.participants.map(({ userId }) => userId).sort(), ["guest", "host"]);
  assert.equal(result.value.streams[0]?.streamId, streamId);
  assert.ok(result.value.streams[0]?.tracks[0]?.muted);
  assert.ok(result.value.room?.locked);
  for (const grant of heldBy(after)) {
    const old = before.grants.get(grant.sessionId);
    assert.ok(grant.revision > (old?.revision ?? 0n));
    assert.deepEqual(grant.slots, old?.slots);
    assert.deepEqual(grant.receives, old?.receives);
    assert.deepEqual(grant.ice, old?.ice);
  }
  assert.equal(after.valuesOf("guest", "slotsChanged").length, 0, "nothing changed for them");

  // And it lives on: a bind by the guest, a re-offer answered from what was remembered.
  const bound = after.command(
    "guest",
    { case: "bindSlots", value: { session: "sub", bindings: [{ mid: "0" }] } },
    { grants: ordinary },
  );
  assert.ok(bound.ok);
});

/** What the next bind of the guest says to whoever takes over. */
function rememberedWith(bench: RoomBench, streamId: number): SessionOwnerState {
  const value = { session: "sub", bindings: [{ mid: "1", streamId }] };
  assert.ok(bench.command("guest", { case: "bindSlots", value }, { grants: ordinary }).ok);
  const [session] = heldBy(bench).flatMap(({ ownerState }) => {
    const state = fromBinary(SessionOwnerStateSchema, ownerState);
    return state.session === "sub" && state.connectionId === "guest" ? [state] : [];
  });
  assert.ok(session);
  return session;
}

test("what a bind remembers is up to date, whatever has changed since the last one", () => {
  const bench = new RoomBench();
  bench.join("host");
  const streams = [0, bench.publish("host")];
  const guest = bench.join("guest", { grants: ordinary });
  bench.receive("guest", undefined, "sub", { grants: ordinary });
  const { participantId } = guest;
  const command = (connectionId: string, method: Method, grants = {}) =>
    assert.ok(bench.command(connectionId, method, { grants: { ...ordinary, ...grants } }).ok);
  let binds = 0;
  const remembered = () => rememberedWith(bench, streams[++binds % 2] ?? 0);
  assert.equal(remembered().slots[1]?.binding?.streamId, streams[1]);
  assert.equal(remembered().slots[1]?.binding?.streamId, 0);

  command("guest", { case: "updateSelf", value: { name: "G", handRaised: true, attributes: { seat: "2" } } });
  const { participant } = remembered();
  assert.deepEqual([participant?.name, participant?.handRaised, participant?.attributes], ["G", true, { seat: "2" }]);

  const permissions = { subscribe: true, publish: false };
  command("host", {
    case: "moderate",
    value: { command: { case: "setPermissions", value: { participantId, permissions } } },
  });
  assert.equal(remembered().participant?.permissions?.publish, false);

  command("host", { case: "updateRoom", value: { locked: true, attributes: { topic: "x" } } });
  const { room } = remembered();
  assert.deepEqual([room?.locked, room?.attributes], [true, { topic: "x" }]);

  const expiresAtUnixMs = BigInt(bench.nowMs + 60_000);
  command("guest", { case: "updateSelf", value: {} }, { expiresAtUnixMs });
  assert.equal(remembered().tokenExpiresAtUnixMs, expiresAtUnixMs);
  const alive = { appId: "app", connectionId: "guest", roomIds: ["room"], tokenRoomId: "" };
  const later = create(ConnectionAliveSchema, { ...alive, tokenExpiresAtUnixMs: expiresAtUnixMs + 1n });
  bench.handle({ type: "presence", connections: [later] });
  assert.equal(remembered().tokenExpiresAtUnixMs, expiresAtUnixMs + 1n);

  const speakers = { enabled: true, mids: ["0"] };
  command("guest", { case: "bindSlots", value: { session: "sub", bindings: [], speakers } });
  assert.deepEqual(remembered().speakerMids, ["0"]);
});

test("a participant that nobody can rebuild is told to join again", () => {
  const bench = new RoomBench();
  bench.join("alice");
  const presence = (connectionId: string) =>
    bench.handle({
      type: "presence",
      connections: [
        {
          $typeName: "parley.bus.v1.ConnectionAlive",
          appId: "app",
          connectionId,
          roomIds: ["room"],
          tokenExpiresAtUnixMs: 0n,
          tokenRoomId: "",
        },
      ],
    });
  presence("lost");
  assert.equal(bench.eventsOf("lost").length, 0, "it may just have left");
  bench.advance(1_000);
  presence("lost");
  assert.equal(bench.valuesOf("lost", "removed")[0]?.error?.name, "not-in-room");
});
