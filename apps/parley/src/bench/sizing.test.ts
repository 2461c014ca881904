import assert from "node:assert/strict";
import { test } from "node:test";
import { mayBeChance, sizingTable, tooMuch, verdictOf, type SizingStep } from "./sizing.ts";

function step(subscribers: number, more: Partial<SizingStep> = {}): SizingStep {
  return {
    subscribers,
    megabitPerSecond: subscribers * 1.5,
    cpuUsPerPacket: 3,
    dataPlaneShare: subscribers / 1000,
    javascriptShare: 0.02,
    lost: 0,
    packets: subscribers * 1000,
    p99Us: 900,
    ...more,
  };
}

test("a step is too much by full threads, loss, latency, or a load that could not follow", () => {
  assert.equal(tooMuch(step(100)), undefined);
  assert.equal(tooMuch(step(900)), "the threads that move packets");
  assert.equal(tooMuch(step(100, { javascriptShare: 0.9 })), "the JavaScript thread");
  assert.equal(tooMuch(step(100, { lost: 101 })), "loss");
  assert.equal(tooMuch(step(100, { p99Us: 20_000 })), "latency");
  assert.match(tooMuch(step(100, { void: "late cameras" })) ?? "", /load on this same machine: late cameras/);
});

test("the verdict fills the busiest thread to 80 %, and says so", () => {
  assert.deepEqual(verdictOf([step(200), step(400), step(900)], "what was asked for"), {
    subscribers: 800,
    megabitPerSecond: 1200,
    limitedBy: "the threads that move packets",
    atLeast: false,
  });
});

test("the verdict stays below a step that failed, and within twice what was measured", () => {
  const lossy = verdictOf([step(100), step(200, { lost: 9_999 })], "");
  assert.deepEqual([lossy.subscribers, lossy.limitedBy], [150, "loss"]);
  const idle = verdictOf([step(50)], "what was asked for");
  assert.deepEqual([idle.subscribers, idle.limitedBy], [100, "what was asked for"]);
  assert.deepEqual([lossy.atLeast, idle.atLeast], [false, true]);
  assert.equal(verdictOf([step(50, { lost: 50_000 })], "").subscribers, 0);
});

test("what failed with threads that were not full is measured again, what filled them is not", () => {
  assert.equal(mayBeChance(step(100)), false);
  assert.equal(mayBeChance(step(100, { p99Us: 20_000 })), true);
  assert.equal(mayBeChance(step(100, { void: "late cameras" })), true);
  assert.equal(mayBeChance(step(900, { p99Us: 20_000 })), false);
  const late = verdictOf([step(400, { dataPlaneShare: 0.2 }), step(900, { void: "late cameras" })], "");
  assert.equal(late.subscribers, 650);
  // Full threads: up to the step that filled them.
  const full = verdictOf([step(400, { dataPlaneShare: 0.2 }), step(900)], "");
  assert.deepEqual([full.subscribers, full.limitedBy], [890, "the threads that move packets"]);
});

test("the table has a row for each step under its head", () => {
  const lines = sizingTable([step(100), step(2_000)]).split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[1] ?? "", /^ +100 +150 +3\.00 +10 % +2 % +0 +0\.90$/);
});
