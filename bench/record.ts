// npm run bench:record -- [--quick] [--only NAME] [--hour] [--page] [--out FILE]
//
// Runs every figure once, on a machine that does nothing else, appends the raw lines with the machine they are of to a
// file, and makes a page and a chart of that file beside it (--page: only that). Ends with 1 when a run failed or was void, after all of them.
import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants, cpus, loadavg, release, totalmem } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { page } from "./record/page.ts";
import { allRuns, churnHour, type Run } from "./record/runs.ts";
import type { RawLine } from "./record/verdict.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const usage = `npm run bench:record -- [flags]     every figure once, some 20 minutes; nothing else may run meanwhile
  --only NAME     runs with this in their name: ${allRuns(false)
    .map(({ name }) => name)
    .join("; ")}
  --hour          the hour of churn alone
  --quick         windows of a second, to see that everything runs
  --page          runs nothing, makes the page and the chart of the file anew
  --out FILE      raw lines, appended (default: bench/results/DATE-raw.jsonl)`;
const { values } = readArguments();

function readArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string", default: "" },
        hour: { type: "boolean", default: false },
        page: { type: "boolean", default: false },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** Before anything ran or was written. */
function refuse(why: string): never {
  console.error(`${why}\n\n${usage}`);
  process.exit(1);
}

if (values.help) {
  console.log(usage);
  process.exit();
}
const today = new Date().toISOString().slice(0, 10);
const out = values.out ?? join(root, "bench", "results", `${today}-raw.jsonl`);
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

const endings = ["SIGINT", "SIGTERM"] as const;

function execute({ script, args, deadlineMs }: Run): Promise<Outcome> {
  const all = [join(root, script), ...args, "--json"];
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      all,
      { timeout: deadlineMs, killSignal: "SIGTERM" },
      (error, stdout, stderr) => {
        const printed = stdout.trim().split("\n").at(-1) ?? "";
        let line: Record<string, unknown> | undefined;
        try {
          line = JSON.parse(printed) as Record<string, unknown>;
        } catch {
          // Nothing was printed: the reason stands on standard error.
        }
        const problem = error === null ? undefined : stderr.trim().split("\n").at(-1) || error.message;
        for (const signal of endings) process.off(signal, end);
        resolve({ line, problem });
      },
    );
    // Who is told to end leaves no run behind; what was recorded before stands in the file.
    const end = (signal: NodeJS.Signals) => {
      child.kill("SIGTERM");
      process.exit(128 + constants.signals[signal]);
    };
    for (const signal of endings) process.once(signal, end);
  });
}

/** Runs them all; names of those that failed. */
async function record(runs: readonly Run[]): Promise<readonly string[]> {
  mkdirSync(dirname(out), { recursive: true });
  appendFileSync(out, `${JSON.stringify({ machine: machine() })}\n`);
  const problems: string[] = [];
  for (const run of runs) {
    const fromMs = performance.now();
    const [load = 0] = loadavg();
    const { line, problem } = await execute(run);
    const told = problem === undefined ? {} : { problem };
    const command = `${run.script} ${run.args.join(" ")}`;
    const raw = { run: run.name, command, loadBefore: Number(load.toFixed(2)), ...told, ...line };
    appendFileSync(out, `${JSON.stringify(raw)}\n`);
    const seconds = ((performance.now() - fromMs) / 1000).toFixed(0);
    console.log(
      problem === undefined ? `ok     ${run.name} (${seconds} s)` : `FAILED ${run.name} (${seconds} s): ${problem}`,
    );
    if (problem !== undefined) problems.push(run.name);
  }
  return problems;
}

const beganMs = performance.now();
const all = [...allRuns(values.quick), churnHour()];
const chosen = values.hour ? [churnHour()] : allRuns(values.quick).filter(({ name }) => name.includes(values.only));
if (chosen.length === 0) refuse(`No run has "${values.only}" in its name.`);
if (values.page && !existsSync(out)) refuse(`There is no ${out} to make a page of.`);
const problems = values.page ? [] : await record(chosen);
const stem = out.replace(/(-raw)?\.jsonl$/, "");
const lines = readFileSync(out, "utf8").trim().split("\n");
const { markdown, svg } = page(
  lines.map((line) => JSON.parse(line) as RawLine),
  all,
  { raw: basename(out), svg: basename(`${stem}.svg`) },
);
writeFileSync(`${stem}.md`, markdown);
writeFileSync(`${stem}.svg`, svg);
console.log(
  `${((performance.now() - beganMs) / 60_000).toFixed(1)} minutes; raw lines are in ${out}, the page is ${stem}.md`,
);
if (problems.length > 0) {
  console.error(`failed or void: ${problems.join("; ")}`);
  process.exitCode = 1;
}
