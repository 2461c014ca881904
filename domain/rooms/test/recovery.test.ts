import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import {
  ConnectionAliveSchema,
  SessionOwnerStateSchema,
  type SessionGrant,
  type SessionOwnerState,
} from "@parley/protocol";
import { ordinary, RoomBench, type Method } from "./room-bench.ts";

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
