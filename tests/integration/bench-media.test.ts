import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Sizing } from "@parley/app";

const bench = fileURLToPath(new URL("../../bench/media.ts", import.meta.url));
const program = fileURLToPath(new URL("../../apps/parley/src/main.ts", import.meta.url));
const limit = { timeout: 120_000 };

interface Line {
  text(name: string): string;
  number(name: string): number;
  /** All of these are there and above zero. */
  positive(...names: readonly string[]): void;
}

/** The one line a run prints. A run that the machine was too busy for (exit code 3) has its line, too. */
async function run(...args: readonly string[]): Promise<Line> {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, ...args, "--json"]).catch((error: unknown) => {
    const { code, stdout: printed, message } = error as { code: number; stdout: string; message: string };
    if (code !== 3) throw new Error(message, { cause: error });
    return { stdout: printed };
  });
  const line = JSON.parse(stdout) as Record<string, number | string>;
  const number = (name: string) => Number(line[name]);
  return {
    text: (name) => String(line[name]),
    number,
    positive: (...names) => {
      for (const name of names) assert.ok(number(name) > 0, `${name} is ${line[name]} in ${stdout}`);
    },
  };
}

/** The whole road in small: a real server, a camera over WHIP, viewers over WHEP that lose packets and get them again. */
test("[MED-7] the benchmark's viewers get every packet, repaired where they lost some", limit, async () => {
  for (const srtp of ["gcm", "sha1"]) {
    const line = await run("--subscribers", "5", "--warmup", "3", "--seconds", "3", "--srtp", srtp);
    assert.equal(line.text("srtp"), srtp);
    for (const none of ["lost", "authenticationFailures", "sendErrors"]) assert.equal(line.number(none), 0, none);
    // 200 packets/s for 3 s to five viewers.
    assert.ok(line.number("packets") > 2_500, `packets ${line.number("packets")}`);
    assert.ok(line.number("dropped") > 0 && line.number("repaired") > 0, "something was lost and repaired");
    assert.ok(line.number("rtxSent") >= line.number("repaired"));
    assert.ok(line.number("twccReports") > 100, `reports ${line.number("twccReports")}`);
    // A consumer in the server reads them all; the last may still be on their way.
    assert.ok(line.number("feedbackReports") > 100, `read ${line.number("feedbackReports")}`);
    assert.ok(line.number("feedbackGroups") > line.number("feedbackReports"));
    line.positive(
      "cpuUsPerPacket",
      "floorUsPerPacket",
      "sendtoUsPerPacket",
      "ratioToFloor",
      "segmentsPerSend",
      "p50Us",
    );
    assert.ok(line.number("p99Us") >= line.number("p50Us"));
    assert.equal(line.number("floorDrained"), 1);
  }
});

test("[MED-7] meetings: everybody gets everybody else's packets, and the floor's people too", limit, async () => {
  const meeting = ["--profile", "meeting", "--people", "4", "--meetings", "2", "--seconds", "1"];
  const line = await run(...meeting, "--feedback", "off");
  assert.equal(line.number("feedbackReports"), 0);
  assert.equal(line.number("lost"), 0);
  assert.equal(line.number("authenticationFailures"), 0);
  assert.equal(line.number("packets"), line.number("published") * 3);
  assert.ok(line.number("published") > 8 * 150, `published ${line.number("published")}`);
  line.positive("cpuUsPerPacket", "floorUsPerPacket", "ratioToFloor", "p99Us");
  assert.equal(line.number("floorReceived"), 1);
  assert.equal(line.number("floorDrained"), 1);
});

test(
  "[MED-7] latency, churn and joins: viewers lose nothing while the server is kept busy, and its descriptors stay",
  limit,
  async () => {
    const [latency, churn, joins] = await Promise.all([
      run("--profile", "latency", "--subscribers", "5", "--pace", "1", "--seconds", "1"),
      run("--profile", "churn", "--joins", "10", "--warmup", "5", "--seconds", "4"),
      run("--profile", "joins", "--joins", "10", "--subscribers", "5", "--warmup", "5", "--seconds", "1"),
    ]);
    for (const line of [latency, churn, joins]) assert.equal(line.number("lost"), 0);
    // Each packet was at its last viewer after it was at most viewers.
    latency.positive("lastP50Us", "fanOuts", "burstSendP50Us", "collections", "busyShare");
    assert.ok(latency.number("lastP99Us") <= latency.number("lastP999Us"));
    assert.ok(latency.number("barUs") >= 1_000 + latency.number("burstSendP50Us"));
    assert.equal(latency.number("incompleteFanOuts"), 0);
    for (const line of [churn, joins]) {
      assert.equal(line.number("failed"), 0, line.text("firstError"));
      line.positive("joins", "joinsPerSecond");
    }
    churn.positive("pssHighestKb", "descriptorsLowest", "samples");
    assert.ok(Number.isFinite(churn.number("pssSlopeKbPerMinute")));
    // A difference of two shares of a core: in a second it may well come out below nothing.
    assert.ok(Number.isFinite(joins.number("cpuMsPerVisit")));
    joins.positive("coreShare", "p99Us");
  },
);

test("[MED-7] control, publishers and growth: every switch is answered, every packet counted", limit, async () => {
  const [control, publishers, growth] = await Promise.all([
    run("--profile", "control", "--subscribers", "20", "--total", "2000", "--switches", "100", "--seconds", "1"),
    run("--profile", "publishers", "--publishers", "10", "--seconds", "1"),
    run("--profile", "growth", "--subscribers", "50", "--total", "2000", "--warmup", "5", "--seconds", "1"),
  ]);
  control.positive("packetsPerSecond", "twccReportsPerSecond", "switchesPerSecond", "bindUs");
  // The kernel counts in steps of 10 ms, and 20 viewers need less of the JavaScript thread in a second.
  assert.ok(control.number("mainShareOfCore") >= 0);
  assert.equal(control.number("lost"), 0);
  for (const name of ["switchingMissing", "switchingMissingInRequestsOf10"])
    assert.equal(control.number(name), 0, name);
  publishers.positive("cpuUsPerPacket", "floorUsPerPacket", "ratioToFloor", "transportReportsPerSecond");
  assert.equal(publishers.number("lost"), 0);
  assert.equal(publishers.number("floorReceived"), 1);
  growth.positive("highestToLowest", "growth", "floorGrowth", "growthToFloor", "twoThreadsToOne");
});

test("an argument that makes no sense is named", async () => {
  await assert.rejects(
    promisify(execFile)(process.execPath, [bench, "--profile", "flat"]),
    /--profile is burst or spread/,
  );
});

test("recording refuses a run that does not exist, and a page of nothing, before it writes anything", async () => {
  const record = fileURLToPath(new URL("../../bench/record.ts", import.meta.url));
  const out = join(tmpdir(), `parley-record-${process.pid}-raw.jsonl`);
  const refused = async (pattern: RegExp, ...args: readonly string[]): Promise<void> => {
    await assert.rejects(promisify(execFile)(process.execPath, [record, "--out", out, ...args]), pattern);
    assert.equal(existsSync(out), false);
  };
  await refused(/No run has "nonsuch" in its name/, "--only", "nonsuch");
  await refused(/There is no .* to make a page of/, "--page");
  await refused(/Unknown option '--onyl'/, "--onyl");
});

test(
  "[MED-7] parley bench media sizes the machine: a table and a verdict, and names what is missing",
  limit,
  async () => {
    const args = [program, "bench", "media", "--subscribers", "10", "--seconds", "1"];
    const text = await promisify(execFile)(process.execPath, args);
    assert.match(text.stdout, /^ *subscribers +Mb\/s +us\/packet/m);
    assert.match(
      text.stdout,
      /^(At least|About) \d+ subscribers at \d+ Mb\/s \(1500 kb\/s each\) on this machine; limited by /m,
    );
    const json = await promisify(execFile)(process.execPath, [...args, "--bitrate", "500", "--json"]);
    const sizing = JSON.parse(json.stdout) as Sizing;
    assert.equal(sizing.bitrateKbps, 500);
    assert.deepEqual(
      sizing.steps.map(({ subscribers, lost }) => [subscribers, lost]),
      [[10, 0]],
    );
    const [step] = sizing.steps;
    // Ten times 500 kb/s.
    assert.ok(step !== undefined && step.megabitPerSecond > 3.5 && step.megabitPerSecond < 6.5, json.stdout);
    const few = `ulimit -n 250 && exec "$0" "$@"`;
    await assert.rejects(
      promisify(execFile)("bash", ["-c", few, process.execPath, ...args]),
      /too few files \(ulimit -n\)/,
    );
    await assert.rejects(
      promisify(execFile)(process.execPath, [...args, "--bitrate", "0"]),
      /--bitrate is a whole number/,
    );
  },
);
