import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { environment, run } from "./processes.mjs";
import { root } from "./repository.mjs";

test("totals count each test once: passes, failures, skips, nested ones and files that break", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-totals-"));
  try {
    const source = `
      import { describe, it, test } from "node:test";
      test("passes", () => {});
      test("fails", () => { throw new Error("on purpose"); });
      test("skipped", { skip: true }, () => {});
      describe("suite", () => { it("inner", () => {}); it("inner fails", () => { throw new Error("on purpose"); }); });
    `;
    writeFileSync(join(folder, "a.test.mjs"), source);
    writeFileSync(join(folder, "broken.test.mjs"), "throw new Error('on purpose');");
    const totals = join(folder, "totals.json");
    const reporter = `--test-reporter=${join(root, "tools/total-reporter.mjs")}`;
    const args = ["--test", reporter, `--test-reporter-destination=${totals}`];
    const env = environment();
    // Set in tests; a runner that sees it takes itself for a child of ours.
    delete env["NODE_TEST_CONTEXT"];
    const files = [join(folder, "a.test.mjs"), join(folder, "broken.test.mjs")];
    const { code } = await run(process.execPath, [...args, ...files], { quiet: true, env });
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(readFileSync(totals, "utf8")), { passed: 2, failed: 3, skipped: 1, todo: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
