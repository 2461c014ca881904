// `npm test`: installs what the tests need, then checks, native tests, a short fuzz run, and all tests in stages.
// `npm test -- unit browser` runs only these stages; `npm test -- unit --match sdp` only files whose path has "sdp".
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureDemo } from "./build-demo.mjs";
import { ensureAddon } from "./build-native.mjs";
import { check } from "./check.mjs";
import { fuzz } from "./fuzz.mjs";
import { instructionBudget } from "./instruction-budget.mjs";
import { ensureBuildPackages, ensureNpmPackages, ensureTestPackages } from "./install.mjs";
import { environment, run } from "./processes.mjs";
import { cacheFolder, filesUnder, nodePath, root, workspaces } from "./repository.mjs";

const minuteMs = 60_000;
const isTestFile = (name) => /\.test\.(ts|tsx|mjs)$/.test(name);
const nothing = { passed: 0, failed: 0 };

const argv = process.argv.slice(2);
const matchAt = argv.indexOf("--match");
const match = matchAt < 0 ? "" : (argv[matchAt + 1] ?? "");
const chosen = matchAt < 0 ? argv : argv.filter((_, index) => index !== matchAt && index !== matchAt + 1);

/** In order: what is quick and explains most comes first. */
const stages = [
  { name: "check", run: check },
  { name: "unit", run: () => nodeTests("unit", unitFiles(), { concurrency: 2, deadlineMs: 5 * minuteMs }) },
  { name: "native", run: nativeTests },
  { name: "budget", run: () => instructionBudget() },
  { name: "fuzz", run: () => fuzz({ seconds: fuzzSeconds, only: "native" }) },
  { name: "scenarios", run: () => folderStage("scenarios", { concurrency: 2, deadlineMs: 4 * minuteMs }) },
  { name: "integration", run: () => folderStage("integration", { concurrency: 1, deadlineMs: 6 * minuteMs }) },
  { name: "browser", run: () => folderStage("browser", { concurrency: 1, deadlineMs: 10 * minuteMs }) },
  { name: "interop", run: () => folderStage("interop", { concurrency: 1, deadlineMs: 8 * minuteMs }) },
];

/**
 * For all native targets together: enough to find what is shallow; `npm run fuzz` is for the rest. Fuzz tests in TypeScript run their seeded
 * rounds in the unit stage.
 */
const fuzzSeconds = 30;

function unitFiles() {
  const folders = workspaces()
    .map(({ folder }) => folder)
    .filter((folder) => folder !== "tests");
  return ["tools", ...folders].flatMap((folder) => filesUnder(folder, isTestFile));
}

function folderStage(name, options) {
  // Whatever lies in tests/ outside of the named folders would never run otherwise.
  return nodeTests(name, filesUnder(`tests/${name}`, isTestFile), options);
}

async function nodeTests(name, files, { concurrency, deadlineMs }) {
  const wanted = files.filter((file) => file.includes(match));
  if (wanted.length === 0) {
    console.log(`(no tests in ${name})`);
    return nothing;
  }
  mkdirSync(cacheFolder, { recursive: true });
  const totalsFile = join(cacheFolder, `totals-${name}-${process.pid}.json`);
  const args = [
    "--test",
    `--test-concurrency=${concurrency}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(root, "tools/total-reporter.mjs")}`,
    `--test-reporter-destination=${totalsFile}`,
    ...wanted,
  ];
  const { code } = await run(nodePath(), args, { env: environment(), deadlineMs });
  const counts = readTotals(totalsFile);
  rmSync(totalsFile, { force: true });
  // A run that was cut off, or that failed outside of any test, is a failure of its own.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function readTotals(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { ...nothing };
  }
}

async function nativeTests() {
  if (filesUnder("native/test", (name) => name.endsWith("_test.cc")).length === 0) return nothing;
  const args = ["-C", "native", "test", "--silent", "--jobs=2"];
  const { code, output } = await run("make", args, { quiet: true, deadlineMs: 8 * minuteMs });
  process.stdout.write(output);
  const counts = { ...nothing };
  // The line that each test program ends with: "ok srtp_test: 13 of 13".
  for (const [, passed, all] of output.matchAll(/^(?:ok|NOT OK) \w+: (\d+) of (\d+)$/gm)) {
    counts.passed += Number(passed);
    counts.failed += Number(all) - Number(passed);
  }
  // A crash, a sanitizer's report or a build that failed.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function checkStageNames() {
  const known = stages.map(({ name }) => name);
  const unknown = chosen.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`No stage ${unknown.join(", ")}; there are: ${known.join(" ")}`);
  const strays = filesUnder("tests", isTestFile).filter((file) => !known.includes(file.split("/")[1] ?? ""));
  if (strays.length > 0) throw new Error(`No stage runs these tests:\n  ${strays.join("\n  ")}`);
}

async function main() {
  await ensureNpmPackages();
  checkStageNames();
  await ensureBuildPackages();
  await ensureTestPackages();
  await ensureAddon();
  await ensureDemo();
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const failedStages = [];
  for (const stage of stages) {
    if (chosen.length > 0 && !chosen.includes(stage.name)) continue;
    const startedAt = performance.now();
    console.log(`\n=== ${stage.name}`);
    const counts = await stage.run();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`=== ${stage.name}: ${counts.passed} passed, ${counts.failed} failed in ${seconds} s`);
    passed += counts.passed;
    failed += counts.failed;
    skipped += (counts.skipped ?? 0) + (counts.todo ?? 0);
    if (counts.failed > 0) failedStages.push(stage.name);
    if (process.exitCode !== undefined && process.exitCode !== 0) return;
  }
  if (failedStages.length > 0) console.log(`\nFailed: ${failedStages.join(", ")}`);
  if (skipped > 0) console.log(`\n${skipped} skipped`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

try {
  await main();
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
