import assert from "node:assert/strict";
import { test } from "node:test";
import fastify, { type FastifyInstance } from "fastify";
import type { ApiContext } from "./context.ts";
import { fileRoutes } from "./file-routes.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const assets = [
  { path: "/", contentType: "text/html", body: bytes("page") },
  {
    path: "/assets/a-1f.js",
    contentType: "text/javascript",
    body: bytes("as it is"),
    encoded: [
      { encoding: "br", body: bytes("brotli") },
      { encoding: "gzip", body: bytes("gzip") },
    ],
    immutable: true,
  },
] as const;

function app(): FastifyInstance {
  const one = fastify({ logger: false });
  const files = { assets, headers: { "cache-control": "no-cache", "x-frame": "none" } };
  // Nothing else of the context is touched by these routes.
  fileRoutes(one, { config: { files } } as unknown as ApiContext);
  return one;
}

test("a file in the best encoding that the client takes, each with a tag of its own", async () => {
  const cases = [
    [undefined, "as it is"],
    ["identity", "as it is"],
    ["gzip, deflate, br, zstd", "brotli"],
    ["GZIP;q=0.5", "gzip"],
    ["br;q=0, *", "gzip"],
    ["br;q=0.000, gzip; q=0.0", "as it is"],
    ["*;q=0", "as it is"],
    [",;;=q,", "as it is"],
  ] as const;
  const tags = new Map<string, unknown>();
  for (const [accepted, body] of cases) {
    const headers = accepted === undefined ? {} : { "accept-encoding": accepted };
    const response = await app().inject({ url: "/assets/a-1f.js", headers });
    assert.equal(response.body, body, accepted);
    assert.equal(response.headers["content-encoding"], { brotli: "br", gzip: "gzip", "as it is": undefined }[body]);
    assert.equal(response.headers.vary, "Accept-Encoding");
    assert.equal(tags.get(body) ?? response.headers.etag, response.headers.etag);
    tags.set(body, response.headers.etag);
  }
  assert.equal(new Set(tags.values()).size, 3);
});

test("what has a hash in its name is kept for good, the rest is asked for again, and answered with 304", async () => {
  const forGood = await app().inject({ url: "/assets/a-1f.js" });
  assert.equal(forGood.headers["cache-control"], "public, max-age=31536000, immutable");
  const page = await app().inject({ url: "/" });
  assert.equal(page.headers["cache-control"], "no-cache");
  assert.equal(page.headers["x-frame"], "none");
  assert.equal(page.headers.vary, undefined);
  const etag = String(page.headers.etag);
  assert.match(etag, /^"[\w-]{22}"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await app().inject({ url: "/", headers: { "if-none-match": known } });
    assert.equal(again.statusCode, 304, known);
    assert.equal(again.body, "");
    assert.equal(again.headers.etag, etag);
    assert.equal(again.headers["cache-control"], "no-cache");
  }
  const changed = await app().inject({ url: "/", headers: { "if-none-match": '"other"' } });
  assert.equal(changed.body, "page");
});

test("HEAD tells the size without the body; other methods are refused", async () => {
  const head = await app().inject({ method: "HEAD", url: "/assets/a-1f.js", headers: { "accept-encoding": "br" } });
  assert.equal(head.body, "");
  assert.equal(head.headers["content-length"], "6");
  assert.equal((await app().inject({ method: "POST", url: "/" })).statusCode, 405);
});
