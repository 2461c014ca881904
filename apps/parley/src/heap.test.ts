import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

/** Whatever survives makes V8 enlarge its young generation, if it may. */
const survivors = `
  await import(${JSON.stringify(new URL("heap.ts", import.meta.url).href)});
  const { getHeapSpaceStatistics } = await import("node:v8");
  let kept = [];
  for (let round = 0; round < 30; round += 1) {
    kept = [];
    for (let index = 0; index < 60_000; index += 1) kept.push([index]);
  }
  const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  console.log(space_size / 2 ** 20, kept.length);
`;

/** What the young generation has grown to, in MB. */
function youngMb(flags: readonly string[], nodeOptions = ""): number {
  const args = [...flags, "--input-type=module", "--eval", survivors];
  const env = { ...process.env, NODE_OPTIONS: nodeOptions };
  return Number.parseFloat(execFileSync(process.execPath, args, { env, encoding: "utf8" }));
}

test("the young generation stays small, unless whoever starts Node has a setting of their own, however it is spelt", () => {
  // What Node itself does before it gets there (it takes the types out of heap.ts) has enlarged it now and then, to 6.25 MB at most.
  assert.ok(youngMb([]) <= 8);
  for (const flag of ["--max-semi-space-size=32", "--max_semi_space_size=32"]) {
    assert.ok(youngMb([flag]) > 8, flag);
    assert.ok(youngMb([], flag) > 8, `NODE_OPTIONS=${flag}`);
  }
});
