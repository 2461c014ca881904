import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFile, checkManifest, layerOf } from "./architecture.mjs";

const packages = new Map([
  ["@parley/protocol", "protocol"],
  ["@parley/foundation", "foundation"],
  ["@parley/domain-rooms", "domain"],
  ["@parley/domain-access", "domain"],
  ["@parley/service-api", "services"],
  ["@parley/adapter-bus-local", "adapters"],
  ["@parley/adapter-media-native", "adapters"],
  ["@parley/native", "native"],
  ["@parley/testing", "testing"],
  ["@parley/sdk", "sdk"],
]);
const allDeclared = Object.fromEntries([...packages.keys()].map((name) => [name, "0.1.0"]));

function problemsOf(folder, source, { name = `${folder}/src/a.ts`, manifest = {} } = {}) {
  const full = { name: "@parley/self", dependencies: { ...allDeclared, left: "1.0.0" }, ...manifest };
  return checkFile({ name, source, folder, manifest: full, packages }).map((problem) => problem.replace(/^\S+ /, ""));
}
const imports = (folder, specifier, more) => problemsOf(folder, `import { x } from "${specifier}";`, more);

test("each layer imports what the table says, and nothing else", () => {
  assert.deepEqual(imports("domain/rooms", "@parley/foundation"), []);
  assert.deepEqual(imports("domain/rooms", "@parley/domain-access"), ["domain may not import @parley/domain-access"]);
  assert.deepEqual(imports("domain/rooms", "@parley/service-api"), ["domain may not import @parley/service-api"]);
  assert.deepEqual(imports("services/api", "@parley/domain-rooms"), []);
  assert.deepEqual(imports("services/api", "@parley/adapter-bus-local"), [
    "services may not import @parley/adapter-bus-local",
  ]);
  assert.deepEqual(imports("adapters/x", "@parley/adapter-bus-local"), [
    "adapters may not import @parley/adapter-bus-local",
  ]);
  assert.deepEqual(imports("foundation", "@parley/protocol"), ["foundation may not import @parley/protocol"]);
  assert.deepEqual(imports("sdk", "@parley/domain-rooms"), ["sdk may not import @parley/domain-rooms"]);
  assert.deepEqual(imports("apps/parley", "@parley/adapter-bus-local"), []);
  assert.deepEqual(imports("apps/demo", "@parley/service-api"), ["page may not import @parley/service-api"]);
  assert.deepEqual(imports("tests", "@parley/service-api"), []);
});

test("types count like values", () => {
  assert.deepEqual(problemsOf("domain/rooms", 'import type { X } from "@parley/service-api";').length, 1);
});

test("testing is for tests, and tests may use adapters to join services", () => {
  assert.deepEqual(imports("domain/rooms", "@parley/testing"), ["domain may not import @parley/testing"]);
  assert.deepEqual(imports("domain/rooms", "@parley/testing", { name: "domain/rooms/src/a.test.ts" }), []);
  const inTest = { name: "services/api/src/a.test.ts" };
  assert.deepEqual(imports("services/api", "@parley/adapter-bus-local", inTest), []);
});

test("the addon is imported by its adapter only", () => {
  assert.equal(imports("adapters/bus-local", "@parley/native").length, 1);
  assert.equal(imports("apps/parley", "@parley/native").length, 1);
  const manifest = { name: "@parley/adapter-media-native" };
  assert.deepEqual(imports("adapters/media-native", "@parley/native", { manifest }), []);
});

test("paths stay in the package and carry their extension; packages export their index only", () => {
  assert.deepEqual(imports("domain/rooms", "./b.ts"), []);
  assert.deepEqual(imports("domain/rooms", "./b"), ["./b needs its extension"]);
  assert.deepEqual(imports("domain/rooms", "../../access/src/b.ts"), [
    "../../access/src/b.ts leaves the package; import it by its name",
  ]);
  assert.deepEqual(imports("domain/rooms", "@parley/foundation/src/clock.ts").length, 1);
});

test("every imported package is declared", () => {
  assert.deepEqual(imports("domain/rooms", "left"), []);
  assert.deepEqual(imports("domain/rooms", "left/deep"), []);
  assert.deepEqual(imports("domain/rooms", "right"), ["right is not in the package's dependencies"]);
  const manifest = { dependencies: {}, devDependencies: { right: "1.0.0" } };
  assert.equal(imports("domain/rooms", "right", { manifest }).length, 1);
  assert.deepEqual(imports("domain/rooms", "right", { manifest, name: "domain/rooms/src/a.test.ts" }), []);
});

test("domain code is sans-IO, and what runs in browsers has no modules of Node", () => {
  assert.deepEqual(imports("domain/rooms", "node:net"), ["node:net: domain code is sans-IO"]);
  assert.deepEqual(imports("domain/rooms", "node:crypto"), []);
  assert.deepEqual(imports("foundation", "node:crypto"), ["node:crypto: this layer runs in browsers"]);
  assert.deepEqual(imports("services/api", "node:http"), []);
});

test("banned globals are banned where the table says", () => {
  const uses = "const now = Date.now();";
  assert.equal(problemsOf("domain/rooms", uses).length, 1);
  assert.equal(problemsOf("services/api", uses).length, 1);
  assert.equal(problemsOf("sdk", uses).length, 1);
  assert.equal(problemsOf("adapters/system", uses).length, 0);
  assert.equal(problemsOf("apps/parley", uses).length, 0);
  assert.equal(problemsOf("sdk", uses, { name: "sdk/src/platform/clock.ts" }).length, 0);
  assert.equal(problemsOf("domain/rooms", uses, { name: "domain/rooms/src/a.test.ts" }).length, 0);
  assert.equal(problemsOf("adapters/system", "process.exit(1);").length, 1);
});

test("manifests have exact versions and one export", () => {
  const check = (manifest) =>
    checkManifest({ folder: "x", manifest: { name: "@parley/x", ...manifest }, packages }).length;
  assert.equal(check({ exports: { ".": "./src/index.ts" }, dependencies: { a: "1.2.3" } }), 0);
  assert.equal(check({ dependencies: { a: "^1.2.3" } }), 1);
  assert.equal(check({ exports: { ".": "./a.ts", "./b": "./b.ts" } }), 1);
  assert.equal(check({ dependencies: { "@parley/nothing": "0.1.0" } }), 1);
  assert.equal(check({ name: "x" }), 1);
});

test("layers follow from folders", () => {
  assert.equal(layerOf("apps/parley"), "program");
  assert.equal(layerOf("apps/demo"), "page");
  assert.equal(layerOf("domain/rooms"), "domain");
  assert.equal(layerOf("sdk"), "sdk");
});
