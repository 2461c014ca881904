import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startParley, type ParleyProcess } from "@parley/testing";

/** The commands of docs/guides/whip-and-whep.md, one after the other in one shell, each with what the guide says that it prints. */

interface Block {
  readonly line: number;
  readonly commands: string;
  /** Undefined: the guide does not say. */
  readonly prints: string | undefined;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const guide = readFileSync(join(root, "docs/guides/whip-and-whep.md"), "utf8");
const inGuide = "http://127.0.0.1:7880";
const blocks = [...guide.matchAll(/```sh\n([^]*?)```\n(?:\n```text\n([^]*?)```\n)?/g)].map((match): Block => {
  const [, commands = "", prints] = match;
  return { line: guide.slice(0, match.index).split("\n").length, commands, prints };
});

let parley: ParleyProcess;
let folder: string;
before(async () => {
  parley = await startParley();
  folder = mkdtempSync(join(tmpdir(), "parley-guide-"));
});
after(async () => {
  await parley?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A folder that looks like Parley's own for what the guide calls there, so that its files do not land in the real one. */
function workspace(): string {
  const work = join(folder, "work");
  const bin = join(folder, "bin");
  mkdirSync(work);
  mkdirSync(bin);
  symlinkSync(join(root, "tests"), join(work, "tests"));
  const npm = join(bin, "npm");
  writeFileSync(npm, `#!/bin/sh\nPATH=\${PATH#*:}\ncd '${root}' && exec npm "$@"\n`);
  chmodSync(npm, 0o755);
  return work;
}

test("[MED-10] the commands of the guide to WHIP and WHEP do what it says", { timeout: 90_000 }, async () => {
  assert.ok(blocks.length >= 8, "the guide has commands");
  assert.ok(guide.includes(inGuide));
  const script = blocks.map(({ commands }, index) => `echo "block ${index}"\n${commands}`).join("");
  const work = workspace();
  const { stdout } = await promisify(execFile)(
    "bash",
    ["-euo", "pipefail", "-c", script.replaceAll(inGuide, parley.url)],
    {
      cwd: work,
      env: { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"]}` },
      timeout: 80_000,
    },
  );
  const printed = stdout
    .replaceAll("\r", "")
    .split(/^block \d+\n/m)
    .slice(1);
  for (const [index, { line, prints }] of blocks.entries()) {
    assert.equal(printed[index], prints ?? "", `what the commands of line ${line} print`);
  }
});
