import assert from "node:assert/strict";
import { test } from "node:test";
import { lockFileProblems } from "./lock-file.mjs";

const lock = () => ({
  packages: {
    "": { devDependencies: { a: "1.0.0" } },
    x: { dependencies: { b: "1.0.0" } },
    "node_modules/a": { version: "1.0.0", optionalDependencies: { "a-linux": "1.0.0" } },
    "node_modules/a-linux": { version: "1.0.0", optional: true },
    "node_modules/b": { version: "1.0.0" },
  },
});
const manifests = [
  ["", { devDependencies: { a: "1.0.0" } }],
  ["x", { dependencies: { b: "1.0.0" } }],
];

test("a whole lock file has no problems", () => {
  assert.deepEqual(lockFileProblems(lock(), manifests), []);
});

test("what npm ci would refuse is found", () => {
  const broken = lock();
  delete broken.packages["node_modules/a-linux"];
  assert.deepEqual(lockFileProblems(broken, manifests), ["node_modules/a: optional a-linux is not locked"]);
  const changed = [manifests[0], ["x", { dependencies: { b: "1.0.1" } }]];
  assert.deepEqual(lockFileProblems(lock(), changed), ["x: dependencies differ"]);
  assert.deepEqual(lockFileProblems(lock(), [...manifests, ["y", {}]]), ["y is not in the lock file"]);
});

test("registry addresses are found", () => {
  const addressed = lock();
  addressed.packages["node_modules/b"].resolved = "https://registry.example/b.tgz";
  assert.deepEqual(lockFileProblems(addressed, manifests), ["node_modules/b has a registry address"]);
});
