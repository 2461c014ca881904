// Builds the SDK as a package for npm into sdk/dist: one JavaScript file without dependencies, and type declarations of
// the public API. Types are not stripped under node_modules, so the sources cannot be published as they are.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const sdk = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const root = resolve(sdk, "..");
const sdkManifest = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));

/** @param {string} dist where the package goes; emptied first */
export async function buildSdk(dist = join(sdk, "dist")) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  await bundle(dist);
  declarations(dist);
  writeFileSync(join(dist, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
  for (const name of ["LICENSE"]) if (existsSync(join(root, name))) cpSync(join(root, name), join(dist, name));
  const guide = join(root, "docs", "guides", "sdk.md");
  if (existsSync(guide)) cpSync(guide, join(dist, "README.md"));
  return dist;
}

async function bundle(dist) {
  const build = await rolldown({ input: join(sdk, "src", "index.ts"), platform: "browser", treeshake: { moduleSideEffects: false } });
  await build.write({ file: join(dist, "index.js"), format: "esm", sourcemap: true });
  await build.close();
}

/** Declarations of what the public API reaches, and of nothing else: no dependency's types are needed to use it. */
function declarations(dist) {
  const scratch = mkdtempSync(join(root, "node_modules", ".cache-sdk-"));
  try {
    const config = {
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        noEmit: false,
        incremental: false,
        declaration: true,
        emitDeclarationOnly: true,
        types: [],
        rootDir: root,
        outDir: join(scratch, "out"),
      },
      files: [join(sdk, "src", "index.ts")],
    };
    const project = join(scratch, "tsconfig.json");
    writeFileSync(project, JSON.stringify(config));
    execFileSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", project], { stdio: "pipe" });
    copyReached(join(scratch, "out", "sdk", "src"), dist);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function copyReached(from, dist) {
  const queue = ["index.d.ts"];
  const done = new Set();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (done.has(name)) continue;
    done.add(name);
    const text = readFileSync(join(from, name), "utf8");
    for (const [, specifier] of text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)) {
      if (!specifier.startsWith(".")) {
        throw new Error(`The public API needs ${specifier} (in ${name}): a type of another package must not leak.`);
      }
      queue.push(relative(from, resolve(from, dirname(name), specifier)).replace(/\.ts$/, ".d.ts"));
    }
    const target = join(dist, name);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text.replace(/((?:from|import\()\s*"\.[^"]+)\.ts"/g, '$1.js"'));
  }
}

function manifest() {
  const { name, version, description, license } = sdkManifest;
  return {
    name,
    version,
    description,
    license,
    type: "module",
    sideEffects: false,
    main: "./index.js",
    types: "./index.d.ts",
    exports: { ".": { types: "./index.d.ts", default: "./index.js" } },
    files: ["**/*.js", "**/*.js.map", "**/*.d.ts", "README.md", "LICENSE"],
    engines: { node: ">=20" },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = await buildSdk();
  console.log(`Built ${relative(process.cwd(), dist)}.`);
}
