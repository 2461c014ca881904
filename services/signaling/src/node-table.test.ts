import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NodeAnnouncementSchema } from "@parley/protocol";
import { NodeTable } from "./node-table.ts";

const node = (nodeId: string, fields: { bootId?: bigint; load?: number; draining?: boolean } = {}) =>
  create(NodeAnnouncementSchema, { nodeId, bootId: 1n, ...fields });

test("[SIG-2] a node is forgotten after 750 ms of silence, not before", () => {
  const table = new NodeTable();
  table.tick(0);
  table.announced(node("a"));
  for (let nowMs = 100; nowMs <= 700; nowMs += 100) assert.deepEqual(table.tick(nowMs), []);
  assert.deepEqual(table.tick(800), [{ nodeId: "a", bootId: 1n }]);
  assert.equal(table.pick(new Set()), undefined);
});

test("a stall of our own is not the node's silence", () => {
  const table = new NodeTable();
  table.tick(0);
  table.announced(node("a"));
  assert.deepEqual(table.tick(5_000), [], "its announcements wait in our queue");
  table.announced(node("a"));
  assert.deepEqual(table.tick(5_100), []);
});

test("a node that was started anew has lost its former self", () => {
  const table = new NodeTable();
  assert.equal(table.announced(node("a")), undefined);
  assert.equal(table.announced(node("a")), undefined);
  assert.deepEqual(table.announced(node("a", { bootId: 2n })), { nodeId: "a", bootId: 1n });
});

test("rooms stay together until a node is full; draining nodes take nothing", () => {
  const table = new NodeTable();
  table.announced(node("a", { load: 0.5 }));
  table.announced(node("b", { load: 0.1 }));
  assert.equal(table.pick(new Set())?.nodeId, "b");
  assert.equal(table.pick(new Set(["a"]))?.nodeId, "a");
  table.announced(node("a", { load: 0.99 }));
  assert.equal(table.pick(new Set(["a"]))?.nodeId, "b");
  table.announced(node("b", { draining: true }));
  assert.equal(table.pick(new Set(["a"])), undefined);
});
