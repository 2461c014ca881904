import assert from "node:assert/strict";
import { test } from "node:test";
import { matchFlashes, summarize } from "./lip-sync.ts";

test("flashes are matched with the nearest beep, lone ones are left out", () => {
  assert.deepEqual(matchFlashes([1000, 2000, 3000, 4900], [990, 2030, 3000], 1000), [10, -30, 0]);
});

test("the median withstands a few outliers", () => {
  const { medianMs, spreadMs } = summarize([10, 12, 11, 300, 9, 10, 11, 12, 10]);
  assert.ok(medianMs >= 10 && medianMs <= 12);
  assert.ok(spreadMs > 100);
});
