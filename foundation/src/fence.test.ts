import assert from "node:assert/strict";
import { test } from "node:test";
import { FenceGuard } from "./fence.ts";

const fence = (revision: number, bucketId = "b", shard = "all") => ({ bucketId, shard, revision: BigInt(revision) });

test("[SIG-4] below the highest fence nothing is taken; shards are apart; without a fence nothing is known", () => {
  const guard = new FenceGuard();
  assert.ok(guard.admits(undefined));
  assert.ok(guard.admits(fence(5)));
  assert.ok(guard.admits(fence(5)));
  assert.ok(guard.admits(fence(7)));
  assert.equal(guard.admits(fence(6)), false);
  assert.ok(guard.admits(fence(1, "b", "other")));
  assert.ok(guard.admits(fence(8)));
});

test("[SIG-4] a new bucket counts from the start, and the old one does not come back", () => {
  const guard = new FenceGuard();
  guard.admits(fence(700));
  assert.ok(guard.admits(fence(1, "c")));
  assert.equal(guard.admits(fence(701)), false);
  assert.ok(guard.admits(fence(2, "c")));
  for (let count = 0; count < 40; count += 1) assert.ok(guard.admits(fence(1, `d${count}`)));
  assert.equal(guard.admits(fence(9, "d38")), false);
});
