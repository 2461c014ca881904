// Runs a script of the repository with the right Node (`run.mjs bench/media.ts ...`), or a program that npm
// brought (`run.mjs --bin oxfmt ...`), after installing and building what is missing.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureDemo } from "./build-demo.mjs";
import { ensureAddon } from "./build-native.mjs";
import { ensureNpmPackages } from "./install.mjs";
import { become } from "./processes.mjs";
import { binPath, nodePath, root } from "./repository.mjs";

const [first, ...rest] = process.argv.slice(2);
try {
  await ensureNpmPackages();
  if (first === "--bin") {
    const [name = "", ...args] = rest;
    become(binPath(name), args);
  } else {
    const script = join(root, first ?? "");
    if (first === undefined || !existsSync(script)) throw new Error(`There is no ${first}.`);
    await ensureAddon();
    // `npm run parley -- serve`: a server has all its pages, however it was started.
    if (rest[0] === "serve") await ensureDemo();
    become(nodePath(), [script, ...rest]);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
