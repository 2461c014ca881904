import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { beginUsage, ProcessUsage } from "./process-usage.ts";

/** Burns a core for so many milliseconds, and says so. */
const program = `
const { parentPort } = require("node:worker_threads");
parentPort.on("message", (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
  parentPort.postMessage("rested");
});`;

test("threads of one name are told apart: what one did before the span is not the other's share of it", async () => {
  const workers = [new Worker(program, { eval: true }), new Worker(program, { eval: true })];
  const burn = async (worker: Worker | undefined, ms: number) => {
    worker?.postMessage(ms);
    if (worker !== undefined) await once(worker, "message");
  };
  try {
    await burn(workers[0], 10);
    await burn(workers[1], 500);
    const end = await beginUsage(new ProcessUsage(process.pid));
    await burn(workers[0], 100);
    await burn(workers[1], 100);
    const span = await end();
    assert.ok(span.cpuUs > 0);
    // The kernel counts in steps of 10 ms.
    assert.ok(span.share("") <= 1 + 20_000 / span.elapsedUs, `${span.share("")}`);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
});
