import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mintToken } from "@parley/domain-access";
import { type Chromium, type ParleyProcess, startChromium, startParley } from "@parley/testing";
import { DemoPage } from "../demo-stage.ts";

/** What the demo says when something is wrong, and that it goes on by itself where it can. */

const limit = { timeout: 60_000 };
const secret = "a-secret-of-this-test-and-no-other-one";

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

test("[SIG-6] camera and microphone refused: the demo says what to do, and joins without", limit, async () => {
  const refusing = await startChromium({ denyCapture: true });
  try {
    const anna = await DemoPage.open(refusing, server, { room: "refused", name: "Anna" });
    await anna.reads("Camera is not allowed");
    await anna.reads("Microphone is not allowed");
    await anna.click("Join");
    await anna.inMeeting();
    await anna.click("Start camera");
    await anna.page.locator(".notice", { hasText: "Camera is not allowed" }).waitFor();
    const bens = await DemoPage.join(chromium, server, { room: "refused", name: "Ben" });
    // Seeing others needs no camera of one's own.
    await anna.page.locator(`${anna.tile("Ben")} video`).waitFor();
    await bens.page.close();
  } finally {
    await refusing.close();
  }
});

test("[SIG-6] no camera at all: the demo says so, and joins with sound only", limit, async () => {
  const anna = await DemoPage.open(chromium, server, { room: "blind", name: "Anna" });
  await anna.page.evaluate(() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (constraints) =>
      constraints?.video === undefined
        ? open(constraints)
        : Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
  });
  // Off and on: opened again.
  await anna.click("Camera");
  await anna.click("Camera");
  await anna.reads("No camera found");
  await anna.click("Join");
  await anna.inMeeting();
  await anna.page.locator('[data-control="microphone"]', { hasText: "Mute" }).waitFor();
  await anna.page.locator('[data-control="camera"]', { hasText: "Start camera" }).waitFor();
  await anna.page.close();
});

test("[SIG-2] links that do not work: expired, of another server, for another room, damaged", limit, async () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "strangers", sub: "anna", publish: true, subscribe: true, exp: now + 600 } as const;
  const folder = await mkdtemp(join(tmpdir(), "parley-demo-"));
  await writeFile(join(folder, "parley.yaml"), `apps: [{ key: ours, secret: "${secret}" }]\n`);
  const server2 = await startParley({ args: ["--config", join(folder, "parley.yaml")] });
  try {
    const cases = [
      [mintToken({ ...claims, iss: "ours", exp: now - 600 }, secret), "This invitation has expired"],
      [mintToken(claims, secret), "This invitation is for another server"],
      ["nonsense", "This invitation is damaged"],
    ] as const;
    for (const [token, words] of cases) {
      const anna = await DemoPage.open(chromium, server2, { room: "links", name: "Anna", token });
      await anna.click("Join");
      await anna.reads(words);
      await anna.page.close();
    }
    const token = mintToken({ ...claims, iss: "ours", room: "links" }, secret);
    const anna = await DemoPage.open(chromium, server2, { room: "other", name: "Anna", token });
    assert.equal(await anna.page.getByLabel("Room").inputValue(), "links");
    await anna.click("Join");
    await anna.inMeeting();
    await anna.page.close();
  } finally {
    await server2.stop();
    await rm(folder, { recursive: true });
  }
});

test("[SIG-4] the server is away when one wants to join: the demo keeps trying, and gets in", limit, async () => {
  const anna = await DemoPage.open(chromium, server, { room: "patience", name: "Anna" });
  await server.kill9();
  await anna.click("Join");
  await anna.reads("The server is away. We keep trying");
  await server.restart();
  await anna.inMeeting();
  await anna.page.close();
});
