// `npm run generate`: TypeScript from the wire schema, into protocol/src/gen. With --check it writes nothing and
// fails when what is committed differs.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureNpmPackages } from "./install.mjs";
import { run } from "./processes.mjs";
import { binPath, filesUnder, nodePath, root } from "./repository.mjs";

const protocolFolder = join(root, "protocol");

async function generateInto(folder) {
  const args = ["generate", "--output", folder];
  const result = await run(binPath("buf"), args, { cwd: protocolFolder, quiet: true });
  if (result.code !== 0) throw new Error(result.output);
}

function contents(folder, base) {
  const files = new Map();
  for (const name of filesUnder(folder, () => true)) files.set(name, readFileSync(join(base, name), "utf8"));
  return files;
}

async function check() {
  const lint = await run(binPath("buf"), ["lint"], { cwd: protocolFolder, quiet: true });
  if (lint.code !== 0) throw new Error(lint.output);
  const scratch = mkdtempSync(join(tmpdir(), "parley-generate-"));
  try {
    await generateInto(scratch);
    const committed = contents("protocol/src/gen", root);
    const differing = [];
    for (const [name, text] of committed) {
      const fresh = join(scratch, name.replace(/^protocol\//, ""));
      let freshText;
      try {
        freshText = readFileSync(fresh, "utf8");
      } catch {
        freshText = undefined;
      }
      if (freshText !== text) differing.push(name);
    }
    const result = await run("find", ["src/gen", "-type", "f"], { cwd: scratch, quiet: true });
    for (const name of result.output.split("\n").filter(Boolean)) {
      if (!committed.has(`protocol/${name}`)) differing.push(`protocol/${name} (missing)`);
    }
    if (differing.length > 0) {
      throw new Error(
        `Generated code is not up to date, please run \`npm run generate\`:\n  ${differing.join("\n  ")}`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function errorDocs() {
  const args = [join(root, "tools/error-docs.mjs"), ...process.argv.slice(2)];
  const { code, output } = await run(nodePath(), args, { quiet: true });
  if (code !== 0) throw new Error(output);
}

try {
  await ensureNpmPackages();
  if (process.argv.includes("--check")) await check();
  else await generateInto(".");
  await errorDocs();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
