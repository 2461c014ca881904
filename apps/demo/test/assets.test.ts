import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadDemoAssets } from "../serve/index.ts";

test("what the build made is served under /demo/, files of unknown types are not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-demo-assets-"));
  try {
    assert.deepEqual(loadDemoAssets(folder), []);
    assert.deepEqual(loadDemoAssets(join(folder, "nowhere")), []);
    await mkdir(join(folder, "assets"));
    await writeFile(join(folder, "index.html"), "<!doctype html>");
    await writeFile(join(folder, "assets", "index-1.js"), "1");
    await writeFile(join(folder, "assets", "index-1.js.br"), "b");
    await writeFile(join(folder, "assets", "index-1.js.gz"), "g");
    await writeFile(join(folder, "sources.sha256"), "x");
    const assets = loadDemoAssets(folder).map(({ path, contentType, encoded, immutable }) => [
      path,
      contentType,
      encoded.map(({ encoding, body }) => `${encoding} ${Buffer.from(body).toString()}`),
      immutable,
    ]);
    assert.deepEqual(assets.sort(), [
      ["/demo/", "text/html; charset=utf-8", [], false],
      ["/demo/assets/index-1.js", "text/javascript; charset=utf-8", ["br b", "gzip g"], true],
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("no script and no style in the page: the content policy forbids them", (context) => {
  const page = loadDemoAssets().find(({ path }) => path === "/demo/");
  // `npm test` builds it before.
  if (page === undefined) return context.skip("the demo is not built");
  const html = new TextDecoder().decode(page.body);
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=/);
});
