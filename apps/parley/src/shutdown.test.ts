import assert from "node:assert/strict";
import { test } from "node:test";
import { nullLogger, VirtualClock } from "@parley/testing";
import { Shutdown, type Drainable } from "./shutdown.ts";

function rig(program: Partial<Drainable>): {
  readonly clock: VirtualClock;
  readonly shutdown: Shutdown;
  readonly events: string[];
} {
  const clock = new VirtualClock();
  const events: string[] = [];
  const shutdown = new Shutdown(
    {
      drain: () => (events.push("drain"), program.drain?.() ?? Promise.resolve()),
      close: () => (events.push("close"), program.close?.() ?? Promise.resolve()),
    },
    { clock, logger: nullLogger, deadlineMs: 10_000, exit: (code) => void events.push(`exit ${code}`) },
  );
  return { clock, shutdown, events };
}

const never = (): Promise<void> => new Promise(() => undefined);

test("[QOS-5] SIGTERM drains, closes and exits 0", async () => {
  const { clock, shutdown, events } = rig({});
  shutdown.onSignal("SIGTERM", 143);
  await clock.advanceAsync(0);
  assert.deepEqual(events, ["drain", "close", "exit 0"]);
});

test("[QOS-5] what does not drain is closed at the deadline, and the exit code is 0", async () => {
  const { clock, shutdown, events } = rig({ drain: never });
  shutdown.onSignal("SIGTERM", 143);
  await clock.advanceAsync(9_999);
  assert.deepEqual(events, ["drain"]);
  await clock.advanceAsync(1);
  assert.deepEqual(events, ["drain", "close", "exit 0"]);
});

test("[QOS-5] a second signal exits at once with its code", async () => {
  const { clock, shutdown, events } = rig({ drain: never });
  shutdown.onSignal("SIGTERM", 143);
  await clock.advanceAsync(600);
  shutdown.onSignal("SIGINT", 130);
  assert.deepEqual(events, ["drain", "exit 130"]);
});

test("[QOS-5] the same wish that comes twice (terminal, npm) is one", async () => {
  const { clock, shutdown, events } = rig({ drain: never });
  shutdown.onSignal("SIGINT", 130);
  shutdown.onSignal("SIGINT", 130);
  await clock.advanceAsync(499);
  shutdown.onSignal("SIGINT", 130);
  assert.deepEqual(events, ["drain"]);
});

test("[QOS-5] failing parts do not stop the end; a close that hangs exits 1", async () => {
  const failing = rig({ drain: () => Promise.reject(new Error("no")), close: () => Promise.reject(new Error("no")) });
  failing.shutdown.onSignal("SIGTERM", 143);
  await failing.clock.advanceAsync(0);
  assert.deepEqual(failing.events, ["drain", "close", "exit 0"]);
  const hanging = rig({ close: never });
  hanging.shutdown.onSignal("SIGTERM", 143);
  await hanging.clock.advanceAsync(5_000);
  assert.deepEqual(hanging.events, ["drain", "close", "exit 1"]);
});
