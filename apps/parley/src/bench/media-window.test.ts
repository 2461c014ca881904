import assert from "node:assert/strict";
import { test } from "node:test";
import { coresStayed } from "./media-window.ts";

test("cores have stayed where every look had about the same distance; one that found none says nothing", () => {
  assert.equal(coresStayed([40, 44, 37, 62]), true);
  assert.equal(coresStayed([210, 197, 218]), true);
  assert.equal(coresStayed([40, 41, 210]), false);
  assert.equal(coresStayed([Number.NaN, 40, 43]), true);
  assert.equal(coresStayed([Number.NaN, 40, 210]), false);
  assert.equal(coresStayed([Number.NaN]), true);
  assert.equal(coresStayed([]), true);
});
