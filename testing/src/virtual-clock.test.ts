import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./virtual-clock.ts";

test("timers run in order of time, then of making, each at its own time", () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const note = (name: string) => () => void log.push(`${name}@${clock.monoMs()}`);
  clock.after(20, note("b"));
  clock.after(10, note("a"));
  clock.after(20, note("c"));
  clock.every(15, note("p"));
  clock.advance(35);
  assert.deepEqual(log, ["a@10", "p@15", "b@20", "c@20", "p@30"]);
  assert.equal(clock.monoMs(), 35);
  assert.equal(clock.pendingCount, 1);
});

test("a callback may make and cancel timers, its own too", () => {
  const clock = new VirtualClock();
  const log: number[] = [];
  const period = clock.every(10, () => {
    log.push(clock.monoMs());
    if (log.length === 2) period.cancel();
  });
  const doomed = clock.after(25, () => assert.fail("was cancelled"));
  clock.after(24, () => {
    doomed.cancel();
    doomed.cancel();
    clock.after(0, () => log.push(clock.monoMs()));
  });
  clock.advance(100);
  assert.deepEqual(log, [10, 20, 24]);
  assert.equal(clock.pendingCount, 0);
});

test("time stands still between advances, never runs backwards, and both clocks move together", () => {
  const clock = new VirtualClock({ startedAtUnixMs: 1_000 });
  clock.advance(5);
  assert.equal(clock.unixMs(), 1_005);
  assert.throws(() => clock.advanceTo(4), RangeError);
});

test("promises settle between timers when asked to", async () => {
  const clock = new VirtualClock();
  const log: number[] = [];
  const sleep = (delayMs: number): Promise<void> => new Promise((resolve) => void clock.after(delayMs, resolve));
  const loop = async (): Promise<void> => {
    for (let count = 0; count < 3; count += 1) {
      await sleep(10);
      log.push(clock.monoMs());
    }
  };
  void loop();
  await clock.advanceAsync(100);
  assert.deepEqual(log, [10, 20, 30]);
});
