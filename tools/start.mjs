// `npm start`: installs what is missing, builds the addon and the demo, runs Parley in development mode.
// Plain JavaScript that the system's Node (20 or later) runs with built-ins only.
import { join } from "node:path";
import { ensureDemo } from "./build-demo.mjs";
import { ensureAddon } from "./build-native.mjs";
import { ensureNpmPackages } from "./install.mjs";
import { become } from "./processes.mjs";
import { nodePath, root } from "./repository.mjs";

try {
  await ensureNpmPackages();
  await ensureAddon();
  await ensureDemo();
  become(nodePath(), [join(root, "apps/parley/src/main.ts"), "serve", "--dev", ...process.argv.slice(2)]);
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
