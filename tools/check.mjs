// `npm run check`: everything a commit needs, except tests. Exit code 0 when all of it passes.
import { ensureNpmPackages } from "./install.mjs";
import { run } from "./processes.mjs";
import { binPath, nodePath, root } from "./repository.mjs";

const checks = [
  { name: "types", command: binPath("tsc"), args: ["-b"] },
  { name: "lint", command: binPath("oxlint"), args: ["--type-aware"] },
  { name: "format", command: binPath("oxfmt"), args: ["--check"], hint: "`npm run format` repairs it" },
  { name: "import table and globals", script: "tools/architecture.mjs" },
  { name: "lock file", script: "tools/lock-file.mjs" },
  { name: "generated code", script: "tools/generate.mjs", args: ["--check"] },
];

/** Runs all checks, prints what fails, and returns how many passed and failed. */
export async function check() {
  let failed = 0;
  for (const { name, command, script, args = [], hint } of checks) {
    const startedAt = performance.now();
    const [program, all] = script === undefined ? [command, args] : [nodePath(), [script, ...args]];
    const { code, output } = await run(program, all, { cwd: root, quiet: true, deadlineMs: 300_000 });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (code !== 0) {
      failed += 1;
      console.log(output.trimEnd());
      if (hint !== undefined) console.log(hint);
    }
  }
  return { passed: checks.length - failed, failed };
}

if (process.argv[1]?.endsWith("check.mjs")) {
  try {
    await ensureNpmPackages();
    process.exitCode = (await check()).failed === 0 ? 0 : 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
