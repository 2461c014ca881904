import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** What Node says of its cache while the program prints its version. */
function version(env: Readonly<Record<string, string>>): string {
  const { NODE_COMPILE_CACHE: _, NODE_DISABLE_COMPILE_CACHE: __, ...outside } = process.env;
  const command = `"${process.execPath}" "${main}" version 2>&1`;
  return execFileSync("sh", ["-c", command], {
    env: { ...outside, NODE_DEBUG_NATIVE: "COMPILE_CACHE", ...env },
    encoding: "utf8",
  });
}

test("a second start takes the program from the cache", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-compiled-"));
  try {
    version({ NODE_COMPILE_CACHE: folder });
    assert.match(version({ NODE_COMPILE_CACHE: folder }), /V8 code cache for ESM \S+commands\.ts was accepted/);
    // By itself it has a folder of its own, where only the entry point is older than the cache.
    version({});
    const again = version({});
    assert.match(again, /node_modules\/\.cache\/parley\/compiled\//);
    assert.match(again, /V8 code cache for ESM \S+commands\.ts was accepted/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the cache can be switched off, and a folder that cannot be made is no error", () => {
  assert.doesNotMatch(version({ NODE_DISABLE_COMPILE_CACHE: "1" }), /accepted/);
  assert.match(version({ NODE_COMPILE_CACHE: "/dev/null/none" }), /^\d+\.\d+\.\d+/m);
});
