// Builds the demo when its sources changed. Run by itself: `npm run build:demo`.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { withLock } from "./build-lock.mjs";
import { ensureNpmPackages } from "./install.mjs";
import { environment, run } from "./processes.mjs";
import { filesUnder, nodePath, root } from "./repository.mjs";

const demoFolder = join(root, "apps", "demo");
const outFolder = join(demoFolder, "dist");
const stampFile = join(outFolder, "sources.sha256");
const lockFolder = join(demoFolder, ".build-lock");

/** What ends up in the demo's script. */
const folders = ["apps/demo/src", "apps/demo/public", "sdk/src", "protocol/src", "foundation/src"];
const files = ["apps/demo/index.html", "apps/demo/vite.config.ts", "tools/build-demo.mjs"];
const isSource = (name) => !/\.test\.tsx?$/.test(name);
/** Packages from npm that make or are part of the output. */
const isTool = (path) =>
  /^node_modules\/(vite|rolldown|lightningcss|react|react-dom|scheduler|@bufbuild\/protobuf)$/.test(path);

function sourcesHash() {
  const hash = createHash("sha256");
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  for (const path of Object.keys(packages).filter(isTool).sort()) hash.update(`${path} ${packages[path].version}\n`);
  for (const name of [...files, ...folders.flatMap((folder) => filesUnder(folder, isSource))]) {
    hash
      .update(`${name}\n`)
      .update(readFileSync(join(root, name)))
      .update("\n");
  }
  return hash.digest("hex");
}

function isUpToDate(hash) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === hash;
}

/** Below this a compressed file saves no packet. */
const minCompressedBytes = 1000;

/** Puts a `.br` and a `.gz` beside every text: compressed once and well, instead of at every request. */
function compressAll() {
  for (const name of filesUnder("apps/demo/dist", (file) => /\.(html|js|css|svg)$/.test(file))) {
    const body = readFileSync(join(root, name));
    if (body.length < minCompressedBytes) continue;
    const params = {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
    };
    writeFileSync(join(root, `${name}.br`), brotliCompressSync(body, { params }));
    writeFileSync(join(root, `${name}.gz`), gzipSync(body, { level: 9 }));
  }
}

/** Builds the demo if it is not up to date. Throws when the build fails. */
export async function ensureDemo() {
  if (!existsSync(join(demoFolder, "index.html"))) return;
  if (isUpToDate(sourcesHash())) return;
  await withLock(lockFolder, async () => {
    const hash = sourcesHash();
    if (isUpToDate(hash)) return;
    console.log("Building the demo ...");
    const startedAt = Date.now();
    rmSync(stampFile, { force: true });
    const args = [join(root, "node_modules", "vite", "bin", "vite.js"), "build", "--logLevel", "warn"];
    const result = await run(nodePath(), args, { cwd: demoFolder, env: environment(), quiet: true });
    if (result.code !== 0) throw new Error(`${result.output}\nBuilding the demo failed; see above.`);
    compressAll();
    writeFileSync(stampFile, hash);
    console.log(`Built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await ensureNpmPackages();
    await ensureDemo();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
