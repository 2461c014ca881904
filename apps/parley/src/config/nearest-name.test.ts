import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearestName } from "./nearest-name.ts";

test("distances count insertions, deletions, substitutions and swaps", () => {
  assert.equal(editDistance("", ""), 0);
  assert.equal(editDistance("abc", ""), 3);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editDistance("prot", "port"), 1);
  assert.equal(editDistance("port", "ports"), 1);
});

test("a name that is near is found, a far one is not guessed at", () => {
  assert.equal(nearestName("HOST", ["port", "host"]), "host");
  assert.equal(nearestName("corsorigin", ["corsOrigins", "host"]), "corsOrigins");
  assert.equal(nearestName("zzzzzz", ["port", "host"]), undefined);
  assert.equal(nearestName("x", []), undefined);
});
