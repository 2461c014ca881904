import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.ts";
import { allRuns } from "./runs.ts";

const names = { raw: "x-raw.jsonl", svg: "x.svg" };
const machine = {
  machine: {
    at: "2026-01-02T03:04:05Z",
    cpu: "a CPU",
    cores: 2,
    memoryGiB: 24,
    kernel: "6",
    system: "Debian",
    node: "v24",
    commit: "abc",
    load: [0.1],
  },
};
const burst = {
  run: "burst gcm 100",
  command: "bench/media.ts",
  lost: 0,
  kbPerIdleSubscriber: 20,
  kbPerSubscriber: 30,
  cpuMsPerJoin: 2.1,
};

const rowsOf = (...lines: readonly Record<string, unknown>[]): readonly string[] =>
  page([machine, ...lines], allRuns(false), names)
    .markdown.split("\n")
    .filter((row) => row.startsWith("| burst gcm 100"));

test("a page says of each bar whether it is met, and of a figure that is missing or void that it is neither", () => {
  const rows = rowsOf({ ...burst, ratioToFloor: 1.8 });
  assert.match(rows[0] ?? "", /1\.8 times the floor \| 1\.8 \| yes/);
  assert.match(rows.at(-1) ?? "", /2\.1 ms of CPU a join \| 2 \| \*\*no\*\*/);
  assert.match(rowsOf({ ...burst, ratioToFloor: 1.81 })[0] ?? "", /\| \*\*no\*\*/);
  assert.match(rowsOf(burst)[0] ?? "", /void: not measured/);
  assert.match(rowsOf({ ...burst, ratioToFloor: 1, void: "the load was busy" })[0] ?? "", /void: the load was busy/);
});

test("of a run recorded twice both are shown and the worse counts; a bar may be another figure of the run", () => {
  const twice = rowsOf({ ...burst, ratioToFloor: 3 }, { ...burst, ratioToFloor: 1 })[0] ?? "";
  assert.match(twice, /3, 1 times the floor .* \*\*no\*\*/);
  const latency = { run: "latency burst, real-time on", command: "bench/media.ts", lastP99Us: 1500, barUs: 1600 };
  const { markdown, svg } = page([machine, latency], allRuns(false), names);
  assert.match(markdown, /1500 us to the last of 100 sends, p99 \| 1600 \| yes/);
  assert.match(svg, /1500 of 1600/);
});
