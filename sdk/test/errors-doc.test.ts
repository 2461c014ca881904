import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sdkErrors } from "../src/api/error.ts";

test("docs/guides/sdk.md has the SDK's own errors", () => {
  const guide = readFileSync(new URL("../../docs/guides/sdk.md", import.meta.url), "utf8");
  const rows = Object.entries(sdkErrors).map(([name, { number, text }]) => `| \`${name}\` | ${number} | ${text} |`);
  const inGuide = guide.split("\n").filter((line) => /^\| `[a-z-]+` \| 200\d\d \|/.test(line));
  assert.deepEqual(inGuide.toSorted(), rows.toSorted());
});
