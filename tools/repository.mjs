// Where things are in the repository. Plain JavaScript for Node 20 with built-ins only, like all of tools/.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cacheFolder = join(root, "node_modules", ".cache", "parley");

/** The oldest Node that strips types without a flag. */
const oldestNode = [22, 18];

/** The Node that runs TypeScript: the one from npm, else the one that runs this, if it is new enough. */
export function nodePath() {
  const ours = join(root, "node_modules", ".bin", "node");
  if (existsSync(ours)) return ours;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return process.execPath;
  throw new Error(
    `Parley needs Node ${oldestNode.join(".")} or later and this is ${process.versions.node}; ` +
      `for ${process.platform}-${process.arch} none came with npm, so please install one.`,
  );
}

/** A program that an npm package brought. */
export function binPath(name) {
  return join(root, "node_modules", ".bin", name);
}

/** All workspaces: `{ name, folder, manifest }`, the folder relative to the root with forward slashes. */
export function workspaces() {
  const { workspaces: patterns } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const found = [];
  for (const pattern of patterns) {
    const folders = pattern.endsWith("/*")
      ? subfolders(pattern.slice(0, -2)).map((name) => `${pattern.slice(0, -2)}/${name}`)
      : [pattern];
    for (const folder of folders) {
      const path = join(root, folder, "package.json");
      if (!existsSync(path)) continue;
      const manifest = JSON.parse(readFileSync(path, "utf8"));
      found.push({ name: manifest.name, folder, manifest });
    }
  }
  return found;
}

function subfolders(folder) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => statSync(join(path, name)).isDirectory())
    .sort();
}

const skippedFolders = new Set(["node_modules", "dist", "build", "out", ".git", ".cache"]);

/** Files under `folder` (relative to the root) whose relative path passes `accept`, sorted. */
export function filesUnder(folder, accept) {
  const found = [];
  const visit = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) visit(child);
      } else if (entry.isFile()) {
        const name = relative(root, child).split(sep).join("/");
        if (accept(name)) found.push(name);
      }
    }
  };
  if (existsSync(join(root, folder))) visit(join(root, folder));
  return found.sort();
}
