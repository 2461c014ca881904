import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Beat } from "./beat.ts";
import { CryptoRandom } from "./crypto-random.ts";
import { createLogger } from "./pino-logger.ts";
import { systemClock } from "./system-clock.ts";

test("the clock's timers run in time, not early, and can be cancelled", async () => {
  const startedAtMs = systemClock.monoMs();
  const cancelled = systemClock.after(1, () => assert.fail("ran although cancelled"));
  cancelled.cancel();
  cancelled.cancel();
  // Holds the process: the clock's own timers do not.
  const hold = setInterval(() => undefined, 1000);
  const elapsedMs = await new Promise<number>((resolve) => {
    systemClock.after(20.5, () => resolve(systemClock.monoMs() - startedAtMs));
  });
  assert(elapsedMs >= 20.5, `after ${elapsedMs} ms`);
  let count = 0;
  await new Promise<void>((resolve) => {
    const timer = systemClock.every(2, () => {
      count += 1;
      if (count < 3) return;
      timer.cancel();
      resolve();
    });
  });
  clearInterval(hold);
  assert.equal(count, 3);
});

test("periodic work falls together at multiples of its period, and a stall is not made up for", async () => {
  let shiftMs = 0.4;
  const nowMs = () => performance.now() + shiftMs;
  const beat = new Beat(nowMs);
  const runs: { readonly name: string; readonly atMs: number }[] = [];
  const note = (name: string) => () => void runs.push({ name, atMs: nowMs() });
  const timers = [beat.every(40, note("slow")), beat.every(20, note("fast"))];
  beat.every(40, () => assert.fail("ran although cancelled")).cancel();
  await wait(130);
  const slow = runs.flatMap(({ name }, index) => (name === "slow" ? [index] : []));
  assert.ok(slow.length >= 2, JSON.stringify(runs));
  // The fast one right behind it, in the same wake-up.
  for (const index of slow) assert.equal(runs[index + 1]?.name, "fast", JSON.stringify(runs));
  const before = runs.length;
  shiftMs += 10_000;
  await wait(25);
  assert.ok(runs.length - before <= 5, JSON.stringify(runs.slice(before)));
  for (const timer of timers) timer.cancel();
});

test("periodic work that fails is an uncaught exception, and stops neither itself nor the rest", async () => {
  const program = `
    import { Beat } from ${JSON.stringify(new URL("./beat.ts", import.meta.url).href)};
    const errors = [], runs = [];
    process.on("uncaughtException", (error) => errors.push(error.message));
    const beat = new Beat(() => performance.now());
    beat.every(10, () => { throw new Error("a bug"); });
    beat.every(10, () => runs.push(1));
    setTimeout(() => console.log(errors.length >= 2 && errors[0] === "a bug" && runs.length >= 2), 100);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  assert.equal(stdout, "true\n");
});

test("randomness is fresh, across refills of the pool too", () => {
  const random = new CryptoRandom();
  const seen = new Set<string>();
  for (let count = 0; count < 2000; count += 1) seen.add(Buffer.from(random.bytes(12)).toString("hex"));
  assert.equal(seen.size, 2000);
  assert.equal(random.bytes(10_000).length, 10_000);
  const words = Array.from({ length: 1000 }, () => random.uint32());
  assert(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32));
  assert(words.some((word) => word >= 2 ** 31) && words.some((word) => word < 2 ** 31));
});

function linesOf(format: "json" | "text", level: "debug" | "warn"): { readonly lines: string[]; log(): void } {
  const lines: string[] = [];
  const logger = createLogger({ level, format, destination: { write: (line) => void lines.push(line) } });
  return {
    lines,
    log: () => {
      const child = logger.child({ role: "media" });
      child.debug("small", { count: 1 });
      child.warn("refused", { reason: "too many", error: new Error("broken"), token: "abc" });
    },
  };
}

test("JSON lines carry level, message, the child's fields and errors, and no token", () => {
  const { lines, log } = linesOf("json", "debug");
  log();
  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(first?.["level"], "debug");
  assert.equal(first["message"], "small");
  assert.equal(first["role"], "media");
  assert.equal(second?.["reason"], "too many");
  assert.equal((second["error"] as { message: string }).message, "broken");
  assert(!lines.join("").includes("abc"));
});

test("text lines are for people, and the level filters", () => {
  const { lines, log } = linesOf("text", "warn");
  log();
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} warn {2}refused role=media reason="too many" token=/);
  assert.match(lines[0] ?? "", /\nError: broken\n/);
});
