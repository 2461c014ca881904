import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startChromium, startParley, type Chromium, type ParleyProcess } from "@parley/testing";

/** The example for browsers of docs/guides/whip-and-whep.md, between two pages and a real server. Its commands run in tests/integration. */

const guide = readFileSync(new URL("../../docs/guides/whip-and-whep.md", import.meta.url), "utf8");
const [, example = ""] = /<!-- example: browser -->\n```js\n([^]*?)```/.exec(guide) ?? [];

let server: ParleyProcess;
let chromium: Chromium;
before(async () => {
  server = await startParley();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  await server?.stop();
});

test(
  "[MED-10] what the guide shows publishes a camera by WHIP and shows it by WHEP, without a library",
  { timeout: 60_000 },
  async () => {
    assert.ok(example.includes("RTCPeerConnection"), "the guide has an example");
    const script = `${example}\nObject.assign(globalThis, { publish, watch, end });`;
    const [publisher, viewer] = await Promise.all([chromium.openPage(), chromium.openPage()]);
    for (const page of [publisher, viewer]) await page.addScriptTag({ content: script });
    const token = await server.token({ room: "demo", publish: true, subscribe: true });
    const [whip, whep] = [server.whipUrl("demo", "main"), server.whepUrl("demo", "main")];
    const session = await publisher.evaluate(`(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    return String(await publish(${JSON.stringify(whip)}, ${JSON.stringify(token)}, stream));
  })()`);
    await viewer.evaluate(`(async () => {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, autoplay: true });
    document.body.append(video);
    await watch(${JSON.stringify(whep)}, ${JSON.stringify(token)}, video);
  })()`);
    const plays = `(() => { const { videoWidth, currentTime } = document.querySelector("video"); return videoWidth > 0 && currentTime > 0.5; })()`;
    await viewer.waitForFunction(plays, undefined, { timeout: 20_000 });
    await publisher.evaluate(`end(${JSON.stringify(session)}, ${JSON.stringify(token)})`);
    const again = await fetch(String(session), { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
    assert.equal(again.status, 404, "it has ended");
    await Promise.all([publisher.close(), viewer.close()]);
  },
);
