import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConnectionAliveSchema, LeaveReason, type ConnectionAlive } from "@parley/protocol";
import { RoomBench } from "./room-bench.ts";

const listOf = (...connectionIds: string[]): ConnectionAlive[] =>
  connectionIds.map((connectionId) => create(ConnectionAliveSchema, { appId: "app", connectionId, roomIds: ["room"] }));

/** The same list, twice a second. */
function announceFor(bench: RoomBench, connections: readonly ConnectionAlive[], durationMs: number): void {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 500) {
    bench.handle({ type: "presence", connections });
    bench.advance(500, false);
  }
}

const leavesOf = (bench: RoomBench) => bench.valuesOf("host", "participantLeft").map(({ reason }) => reason);

test("one list, announced again and again, keeps all that it names, and nobody else", () => {
  const bench = new RoomBench();
  for (const name of ["host", "ann", "ben"]) bench.join(name);
  const both = listOf("host", "ann");
  announceFor(bench, both, 2_500);
  assert.deepEqual(leavesOf(bench), []);
  announceFor(bench, both, 10_000);
  assert.deepEqual(leavesOf(bench), [LeaveReason.CONNECTION_LOST], "ben");
  assert.equal(bench.host.participantCount, 2);
});

test("who is named no more is lost three seconds later, though the others are named on", () => {
  const bench = new RoomBench();
  for (const name of ["host", "ann"]) bench.join(name);
  announceFor(bench, listOf("host", "ann"), 5_000);
  const alone = listOf("host");
  announceFor(bench, alone, 2_000);
  assert.deepEqual(leavesOf(bench), []);
  announceFor(bench, alone, 2_000);
  assert.deepEqual(leavesOf(bench), [LeaveReason.CONNECTION_LOST]);
});

test("who has gone and is announced on, in an unchanged list, is told so", () => {
  const bench = new RoomBench();
  for (const name of ["host", "ann"]) bench.join(name);
  const both = listOf("host", "ann");
  announceFor(bench, both, 5_000);
  bench.command("ann", { case: "leave", value: {} });
  announceFor(bench, both, 500);
  assert.equal(bench.valuesOf("ann", "removed").length, 0, "the list may have been on its way");
  announceFor(bench, both, 1_500);
  assert.equal(bench.valuesOf("ann", "removed")[0]?.error?.name, "not-in-room");
});

test("who comes back is kept by the list that has named it all the time", () => {
  const bench = new RoomBench();
  for (const name of ["host", "ann"]) bench.join(name);
  const both = listOf("host", "ann");
  announceFor(bench, both, 2_000);
  bench.command("ann", { case: "leave", value: {} });
  bench.join("ann");
  announceFor(bench, both, 10_000);
  assert.equal(bench.host.participantCount, 2);
});

test("a token that ends earlier than anybody's silence ends the stay in time", () => {
  const bench = new RoomBench();
  bench.join("host");
  const expiresAtUnixMs = BigInt(bench.nowMs + 1_000);
  bench.join("ann", { grants: { expiresAtUnixMs } });
  bench.advance(900);
  assert.deepEqual(leavesOf(bench), []);
  bench.advance(200);
  assert.deepEqual(leavesOf(bench), [LeaveReason.TOKEN_EXPIRED]);
});

test("a stall of our own is forgiven to those that one list names", () => {
  const bench = new RoomBench();
  for (const name of ["host", "ann"]) bench.join(name);
  const both = listOf("host", "ann");
  announceFor(bench, both, 5_000);
  bench.nowMs += 60_000;
  bench.handle({ type: "tick" });
  announceFor(bench, both, 2_000);
  assert.equal(bench.host.participantCount, 2);
});
