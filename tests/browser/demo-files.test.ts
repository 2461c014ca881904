import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Chromium, type ParleyProcess, startChromium, startParley } from "@parley/testing";
import type { Page } from "playwright-core";

/** How the demo gets to browsers: small, once, and under a strict policy. */

const limit = { timeout: 60_000 };
/** All files of a first visit, compressed. Grows with what the demo can do; by leaps only when something big slipped in. */
const maxFirstVisitBytes = 150_000;

let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  server = await startParley();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

const inBrotli = { headers: { "accept-encoding": "br" } };

test("[SIG-6] the page is asked for again, its files are compressed and kept for good", limit, async () => {
  const page = await fetch(`${server.url}/demo/`, inBrotli);
  assert.equal(page.headers.get("cache-control"), "no-cache");
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'.*object-src 'none'/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  const html = await page.text();
  const files = [...html.matchAll(/(?:src|href)="(\/demo\/assets\/[^"]+)"/g)].map(([, file]) => file ?? "");
  assert.ok(files.length >= 2, html);
  for (const file of files) {
    const response = await fetch(server.url + file, inBrotli);
    assert.equal(response.status, 200, file);
    assert.equal(response.headers.get("content-encoding"), "br", file);
    assert.match(response.headers.get("cache-control") ?? "", /immutable/, file);
    assert.equal(response.headers.get("vary"), "Accept-Encoding", file);
    await response.arrayBuffer();
    const etag = response.headers.get("etag") ?? "";
    const again = await fetch(server.url + file, { headers: { ...inBrotli.headers, "if-none-match": etag } });
    assert.equal(again.status, 304, file);
  }
});

/** What came over the network for the page that is open now, and when its form could be used. */
async function visit(page: Page): Promise<{ readonly bytes: number; readonly formMs: number }> {
  await page.getByLabel("Your name").waitFor();
  return page.evaluate(() => {
    const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    const resources = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
    const files = resources.filter(({ name }) => name.includes("/demo/assets/"));
    const bytes = files.reduce((sum, { transferSize }) => sum + transferSize, navigation?.transferSize ?? 0);
    return { bytes, formMs: performance.now() };
  });
}

test("[SIG-6] a first visit is small, a second one asks for nothing but the page", limit, async (context) => {
  const page = await chromium.context.newPage();
  // A telephone's network; the times are told, not judged: they are the machine's as much as ours.
  const cdp = await chromium.context.newCDPSession(page);
  const downloadThroughput = 9_000_000 / 8;
  await cdp.send("Network.enable");
  await cdp.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 60,
    downloadThroughput,
    uploadThroughput: downloadThroughput,
  });
  const broken: string[] = [];
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) broken.push(message.text());
  });
  await page.goto(`${server.url}/demo/`);
  const first = await visit(page);
  await page.goto("about:blank");
  await page.goto(`${server.url}/demo/`);
  const second = await visit(page);
  const told = ({ bytes, formMs }: typeof first): string => `${bytes} bytes, form after ${Math.round(formMs)} ms`;
  context.diagnostic(`9 Mb/s, 60 ms: first visit ${told(first)}; second ${told(second)}`);
  assert.ok(first.bytes > 50_000 && first.bytes < maxFirstVisitBytes, told(first));
  assert.ok(second.bytes < 2_000, told(second));
  assert.deepEqual(broken, []);
  await page.close();
});
