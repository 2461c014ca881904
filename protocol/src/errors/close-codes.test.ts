import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { closeCodeName, closeCodes } from "./close-codes.ts";

test("[SIG-1] docs/specs/protocol.md has the close codes of the table", () => {
  const spec = readFileSync(new URL("../../../docs/specs/protocol.md", import.meta.url), "utf8");
  const rows = Object.entries(closeCodes).map(([name, { code, action }]) => `| ${code} | \`${name}\` | ${action} |`);
  const inSpec = spec.split("\n").filter((line) => /^\| 4\d{3} \|/.test(line));
  assert.deepEqual(inSpec, rows);
});

test("[SIG-1] close codes are told apart, and none but ours is known", () => {
  for (const [name, { code }] of Object.entries(closeCodes)) assert.equal(closeCodeName(code), name);
  assert.equal(closeCodeName(1006), undefined);
});
