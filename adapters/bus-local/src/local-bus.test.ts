import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import type { Clock, Timer } from "@parley/foundation";
import { busContract, nullLogger, RecordingLogger } from "@parley/testing";
import { createLocalBus } from "./local-bus.ts";

const realClock: Clock = {
  monoMs: () => performance.now(),
  unixMs: () => Date.now(),
  after: (delayMs, callback) => timerOf(setTimeout(callback, delayMs)),
  every: (periodMs, callback) => timerOf(setInterval(callback, periodMs)),
};

function timerOf(handle: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(handle) };
}

busContract("local bus", () => {
  const bus = createLocalBus({ clock: realClock, logger: nullLogger });
  return Promise.resolve({
    first: bus,
    second: bus,
    settle: async () => void (await nextTurn()),
    close: () => bus.close(),
  });
});

test("a circle of messages does not starve the event loop", async () => {
  const bus = createLocalBus({ clock: realClock, logger: nullLogger });
  let rounds = 0;
  bus.subscribe("ping", (message) => {
    rounds += 1;
    bus.publish("pong", message.payload);
  });
  const circle = bus.subscribe("pong", (message) => bus.publish("ping", message.payload));
  bus.publish("ping", new Uint8Array());
  // Each round of this loop is a turn that the circle left to others; a machine that is busy needs more time for them.
  const deadlineMs = performance.now() + 5_000;
  while (rounds <= 512 && performance.now() < deadlineMs) await wait(1);
  circle.unsubscribe();
  assert.ok(rounds > 512, "the circle ran for more than one turn");
  await bus.close();
});

test("a failing handler is logged, and dropped messages are counted", async () => {
  const logger = new RecordingLogger();
  const bus = createLocalBus({ clock: realClock, logger });
  bus.subscribe("a", () => {
    throw new Error("a handler's bug");
  });
  bus.publish("a", new Uint8Array());
  await bus.close();
  assert.equal(logger.records.filter((record) => record.level === "error").length, 1);
  bus.publish("a", new Uint8Array());
  bus.publish("a..b", new Uint8Array());
  assert.equal(bus.dropped, 2);
});
