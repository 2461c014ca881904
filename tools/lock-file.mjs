// Whether `npm ci` will take the lock file, and whether it is free of registry addresses. npm leaves out optional packages of other
// systems when a lock file is made beside an existing node_modules, and then refuses its own file elsewhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, workspaces } from "./repository.mjs";

/** What is wrong. `manifests` maps folders (the root is "") to package.json contents. */
export function lockFileProblems(lock, manifests) {
  const problems = [];
  for (const [folder, manifest] of manifests) {
    const locked = lock.packages[folder];
    if (locked === undefined) {
      problems.push(`${folder} is not in the lock file`);
      continue;
    }
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
      const wanted = JSON.stringify(sorted(manifest[kind]));
      if (JSON.stringify(sorted(locked[kind])) !== wanted) problems.push(`${folder || "the root"}: ${kind} differ`);
    }
  }
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (/^https?:/.test(entry.resolved ?? "")) problems.push(`${path} has a registry address`);
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!isReachable(lock, path, name)) problems.push(`${path || "the root"}: optional ${name} is not locked`);
    }
  }
  return problems;
}

const sorted = (record) => Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

/** As Node looks a package up: beside the package, then in every folder above. */
function isReachable(lock, from, name) {
  let folder = from;
  for (;;) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
    folder = folder.includes("/") ? folder.slice(0, folder.lastIndexOf("/")) : "";
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
  const manifests = [["", read("package.json")], ...workspaces().map(({ folder, manifest }) => [folder, manifest])];
  const problems = lockFileProblems(read("package-lock.json"), manifests);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) console.error("Repair with: PATH=$PWD/node_modules/.bin:$PATH npm install");
  process.exitCode = problems.length === 0 ? 0 : 1;
}
