// Loaded into the server's process by `node --import`: from SIGUSR2 on it keeps the JavaScript thread busy for 50 ms out of every 60, with work
// that leaves garbage, and says once a second on descriptor 3 how busy that was and what the garbage collector did.
import { writeSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";

const busyMs = 50;
const periodMs = 60;
const reportMs = 1_000;
const output = 3;

export interface BusyReport {
  /** Share of the time. */
  readonly busyShare: number;
  readonly collections: number;
  readonly longestCollectionMs: number;
}

let kept: unknown[] = [];

function makeGarbage(): void {
  const piece = Array.from({ length: 100 }, (_, index) => ({ index, text: `garbage ${index}` }));
  kept.push(piece);
  // Some of it grows old, so that the old generation is collected too.
  if (kept.length > 5_000) kept = [];
}

function begin(): void {
  const beganMs = performance.now();
  let [busy, collections, longestCollectionMs] = [0, 0, 0];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      collections += 1;
      longestCollectionMs = Math.max(longestCollectionMs, duration);
    }
  }).observe({ entryTypes: ["gc"] });
  setInterval(() => {
    const fromMs = performance.now();
    while (performance.now() - fromMs < busyMs) makeGarbage();
    busy += performance.now() - fromMs;
  }, periodMs).unref();
  setInterval(() => {
    const report: BusyReport = { busyShare: busy / (performance.now() - beganMs), collections, longestCollectionMs };
    writeSync(output, `${JSON.stringify(report)}\n`);
  }, reportMs).unref();
}

process.once("SIGUSR2", begin);
