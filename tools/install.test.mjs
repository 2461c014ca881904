import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonToInstall } from "./install.mjs";

const lock = {
  packages: {
    "": { name: "parley" },
    foundation: { version: "0.1.0" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/a/node_modules/b": { version: "2.0.0" },
    "node_modules/for-another-system": { version: "1.0.0", optional: true },
    "node_modules/@parley/foundation": { resolved: "foundation", link: true },
  },
};
const installed = {
  packages: {
    "node_modules/a": { version: "1.0.0" },
    "node_modules/a/node_modules/b": { version: "2.0.0" },
    "node_modules/@parley/foundation": { resolved: "foundation", link: true },
  },
};
const without = (path) => ({
  packages: Object.fromEntries(Object.entries(installed.packages).filter(([key]) => key !== path)),
});

test("nothing is installed when everything fits, packages for other systems aside", () => {
  assert.equal(reasonToInstall(lock, installed), undefined);
});

test("what is missing, nested, linked or of another version is a reason to install", () => {
  assert.match(reasonToInstall(lock, undefined), /not installed/);
  assert.match(reasonToInstall(lock, without("node_modules/a")), /node_modules\/a is missing/);
  assert.match(reasonToInstall(lock, without("node_modules/a/node_modules/b")), /b is missing/);
  assert.match(reasonToInstall(lock, without("node_modules/@parley/foundation")), /foundation is missing/);
  const old = { packages: { ...installed.packages, "node_modules/a": { version: "0.9.0" } } };
  assert.match(reasonToInstall(lock, old), /0\.9\.0.*1\.0\.0/);
});
