// npm run bench:record -- [--quick] [--only NAME] [--out FILE]
//
// Runs every figure once, on a machine that does nothing else, and appends the raw lines with the machine they are of
// to a file. Ends with 1 when a run failed or was void, after all of them.
import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    out: { type: "string" },
  },
});
const today = new Date().toISOString().slice(0, 10);
const out = values.out ?? join(root, "bench", "results", `${today}-raw.jsonl`);
/** What a run may take before it counts as failed. */
const deadlineMs = 240_000;

interface Run {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** Of the measured window; `--quick` has one of each. */
  readonly seconds: number;
}

function runs(): readonly Run[] {
  const media = (name: string, seconds: number, ...args: readonly string[]): Run => ({
    name,
    script: "bench/media.ts",
    args,
    seconds,
  });
  const both = ["burst", "spread"].flatMap((profile) => ["gcm", "sha1"].map((srtp) => [profile, srtp] as const));
  const forwarded = [100, 500].flatMap((subscribers) =>
    both.map(([profile, srtp]) =>
      media(
        `${profile} ${srtp} ${subscribers}`,
        8,
        ...["--profile", profile, "--srtp", srtp, "--subscribers", String(subscribers)],
        ...(subscribers === 500 ? ["--warmup", "100"] : []),
      ),
    ),
  );
  const latencies = ["spread", "burst"].flatMap((camera) =>
    ["on", "off"].map((realtime) =>
      media(
        `latency ${camera} realtime ${realtime}`,
        15,
        "--profile",
        "latency",
        "--camera",
        camera,
        "--realtime",
        realtime,
      ),
    ),
  );
  return [
    ...forwarded,
    media("meetings 10x10, one", 10, "--profile", "meeting", "--people", "10"),
    media("meetings 10x10, five", 10, "--profile", "meeting", "--people", "10", "--meetings", "5"),
    media(
      "meetings 10x10, five, spread",
      10,
      "--profile",
      "meeting",
      "--people",
      "10",
      "--meetings",
      "5",
      "--camera",
      "spread",
    ),
    media("meetings 30x30", 10, "--profile", "meeting", "--people", "30"),
    media("meetings 30x30, half pace", 10, "--profile", "meeting", "--people", "30", "--pace", "0.5"),
    ...latencies,
    media("churn", 90, "--profile", "churn"),
    media("joins", 20, "--profile", "joins"),
    media("control", 10, "--profile", "control"),
    media("publishers", 10, "--profile", "publishers"),
    media("growth", 8, "--profile", "growth"),
    { name: "parley bench media", script: "apps/parley/src/main.ts", args: ["bench", "media"], seconds: 3 },
  ];
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
}

function machine(): object {
  const [first] = cpus();
  return {
    at: new Date().toISOString(),
    cpu: first?.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1],
    node: process.version,
    commit: `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with changes"}`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
  };
}

interface Outcome {
  readonly line: Record<string, unknown> | undefined;
  readonly problem: string | undefined;
}

function execute({ script, args, seconds }: Run): Promise<Outcome> {
  const all = [join(root, script), ...args, "--seconds", String(values.quick ? 1 : seconds), "--json"];
  return new Promise((resolve) => {
    execFile(process.execPath, all, { timeout: deadlineMs, killSignal: "SIGTERM" }, (error, stdout, stderr) => {
      const printed = stdout.trim().split("\n").at(-1) ?? "";
      let line: Record<string, unknown> | undefined;
      try {
        line = JSON.parse(printed) as Record<string, unknown>;
      } catch {
        // Nothing was printed: the reason stands on standard error.
      }
      const problem = error === null ? undefined : stderr.trim().split("\n").at(-1) || error.message;
      resolve({ line, problem });
    });
  });
}

mkdirSync(dirname(out), { recursive: true });
appendFileSync(out, `${JSON.stringify({ machine: machine() })}\n`);
const beganMs = performance.now();
const problems: string[] = [];
for (const run of runs().filter(({ name }) => name.includes(values.only))) {
  const fromMs = performance.now();
  const [load = 0] = loadavg();
  const { line, problem } = await execute(run);
  const command = `${run.script} ${run.args.join(" ")}`;
  const record = {
    run: run.name,
    command,
    loadBefore: Number(load.toFixed(2)),
    ...(problem === undefined ? {} : { problem }),
    ...line,
  };
  appendFileSync(out, `${JSON.stringify(record)}\n`);
  const seconds = ((performance.now() - fromMs) / 1000).toFixed(0);
  console.log(
    `${problem === undefined ? "ok    " : "FAILED"} ${run.name} (${seconds} s)${problem === undefined ? "" : `: ${problem}`}`,
  );
  if (problem !== undefined) problems.push(run.name);
}
console.log(`${((performance.now() - beganMs) / 60_000).toFixed(1)} minutes; raw lines are in ${out}`);
if (problems.length > 0) {
  console.error(`failed or void: ${problems.join("; ")}`);
  process.exitCode = 1;
}
