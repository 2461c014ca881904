// `npm run fuzz -- --minutes N` (or --seconds N): libFuzzer on the native parsers, then seeded mutation on those in
// TypeScript, each target for an equal share of the time. `--only native|typescript` runs one kind.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureBuildPackages, ensureNpmPackages, ensureTestPackages } from "./install.mjs";
import { environment, run } from "./processes.mjs";
import { filesUnder, nodePath, root } from "./repository.mjs";

/** Time on top of a target's share before it counts as hung: compiling the native ones takes a minute. */
const graceMs = 300_000;

function nativeTargets() {
  return filesUnder("native/fuzz", (name) => name.endsWith("_fuzz.cc"));
}

function typescriptTargets() {
  const folders = ["protocol", "foundation", "domain", "services", "adapters", "sdk", "apps"];
  return folders.flatMap((folder) => filesUnder(folder, (name) => /fuzz[^/]*\.test\.ts$/.test(name)));
}

/** Fuzzes for about `seconds` in all; returns how many parts passed and failed. */
export async function fuzz({ seconds, only }) {
  const native = only === "typescript" || !existsSync(join(root, "native/Makefile")) ? [] : nativeTargets();
  const typescript = only === "native" ? [] : typescriptTargets();
  const count = native.length + typescript.length;
  const share = Math.max(1, Math.floor(seconds / Math.max(1, count)));
  let passed = 0;
  let failed = 0;
  const tally = (name, code) => {
    if (code === 0) passed += 1;
    else failed += 1;
    console.log(`${code === 0 ? "ok    " : "FAILED"} fuzz ${name}`);
  };
  if (native.length > 0) {
    const { code } = await run("make", ["-C", "native", "fuzz-run", `SECONDS=${share}`, "--jobs=2"], {
      env: environment(),
      deadlineMs: native.length * share * 1000 + graceMs,
    });
    tally(`native (${native.length} targets, ${share} s each)`, code);
  }
  for (const name of typescript) {
    const { code, output } = await run(nodePath(), ["--test", name], {
      env: environment({ FUZZ_SECONDS: String(share) }),
      quiet: true,
      // A file may hold several fuzz tests, each of which takes the share.
      deadlineMs: share * 20_000 + graceMs,
    });
    if (code !== 0) console.log(output);
    tally(`${name} (${share} s)`, code);
  }
  return { passed, failed };
}

function argument(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

if (process.argv[1]?.endsWith("fuzz.mjs")) {
  try {
    const minutes = Number(argument("--minutes") ?? 1);
    const seconds = Number(argument("--seconds") ?? minutes * 60);
    if (!(seconds > 0)) throw new Error("Usage: npm run fuzz -- --minutes N [--only native|typescript]");
    await ensureNpmPackages();
    await ensureBuildPackages();
    if (existsSync(join(root, "native/Makefile"))) await ensureTestPackages();
    const { passed, failed } = await fuzz({ seconds, only: argument("--only") });
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
