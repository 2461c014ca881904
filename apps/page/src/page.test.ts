import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPageAssets, pageHeaders } from "./index.ts";

const text = (body: Uint8Array): string => new TextDecoder().decode(body);

test("everything that the page names is served", () => {
  const assets = loadPageAssets();
  // `/demo/` is another package's, and as good as there: every way to start a server builds it.
  const paths = new Set([...assets.map(({ path }) => path), "/demo/"]);
  assert.ok(paths.has("/") && paths.has("/watch"));
  for (const { path, body } of assets) {
    const named = [...text(body).matchAll(/(?:src|href)="(\/[^"#?]*)"/g)].map((match) => match[1] ?? "");
    const imported = [...text(body).matchAll(/from "\.\/([^"]+)"/g)].map((match) => `/page/${match[1]}`);
    for (const one of [...named, ...imported]) assert.ok(paths.has(one), `${path} names ${one}`);
  }
});

test("no script or style in the HTML: the content policy forbids it", () => {
  assert.doesNotMatch(pageHeaders["content-security-policy"] ?? "", /unsafe/);
  for (const { path, contentType, body } of loadPageAssets()) {
    if (!contentType.startsWith("text/html")) continue;
    assert.doesNotMatch(text(body), /<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=/, path);
  }
});
