import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  BrowserClient,
  type CaptureFiles,
  type Chromium,
  type ParleyProcess,
  Phases,
  pageScript,
  startChromium,
  startParley,
  untilPictureOf,
  untilToneOf,
  writeCaptureFiles,
} from "@parley/testing";
import type { Page } from "playwright-core";

// The page as a user has it: real clicks, the browser's own camera and microphone (fake devices that play our files).

/** What the page promises after the server is ready again. */
const BACK_DEADLINE_MS = 5000;

let server: ParleyProcess;
let capture: CaptureFiles;
let chromium: Chromium;
let screenshots: string;

before(async () => {
  screenshots = await mkdtemp(join(tmpdir(), "parley-screenshots-"));
  console.log(`screenshots: ${screenshots}`);
  capture = await writeCaptureFiles("anna");
  server = await startParley({ args: ["--http.host", "0.0.0.0"] });
  chromium = await startChromium(capture);
});
after(async () => {
  await chromium.close();
  assert.equal(await server.stop(), 0);
  await capture.remove();
});

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

async function untilState(page: Page, state: string, deadlineMs = 8000): Promise<void> {
  await page.locator(`#state[data-state="${state}"]`).waitFor({ timeout: deadlineMs });
}

/** Clicks through the page until it is live. */
async function goLive(page: Page, stream: string): Promise<void> {
  await page.goto(`${server.url}/`);
  await page.getByLabel("Stream", { exact: true }).fill(stream);
  await page.getByLabel("Resolution", { exact: true }).selectOption("180");
  await page.getByRole("button", { name: "Go live" }).click();
  await untilState(page, "live");
}

test("publish by a click, copy the link, watch it in another page", async () => {
  await chromium.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url });
  const publisher = await chromium.openPage(server.url);
  await shoot(publisher, "publish");
  await goLive(publisher, "main");
  await publisher.getByRole("button", { name: "Copy link" }).click();
  await publisher.getByText("Copied.").waitFor();
  const link = String(await publisher.evaluate("navigator.clipboard.readText()"));
  assert.equal(link, `${server.url}/watch?room=lobby&stream=main`);
  const viewer = await chromium.openPage(link);
  const eyes = new BrowserClient(pageScript(viewer));
  await untilPictureOf("anna", () => eyes.pictureOf("#picture"), { deadlineMs: 8000 });
  await untilToneOf("anna", () => eyes.toneOf("#picture"), { deadlineMs: 4000 });
  await untilState(viewer, "live");
  // The figures are the stream's.
  await viewer.getByText("320 × 180").waitFor({ timeout: 4000 });
  await viewer.locator("#figure-bitrate", { hasText: /^[1-9]\d* kb\/s$/ }).waitFor({ timeout: 4000 });
  await viewer.locator("#figure-rtt", { hasText: /^(< 1|\d+) ms$/ }).waitFor({ timeout: 8000 });
  assert.equal(
    await publisher.locator("#figure-codec").textContent(),
    await viewer.locator("#figure-codec").textContent(),
  );
  await shoot(publisher, "live");
  await shoot(viewer, "watching");
  // The publisher stops: the viewer waits, and starts again by itself.
  await publisher.getByRole("button", { name: "End stream" }).click();
  await untilState(viewer, "waiting");
  await shoot(viewer, "waiting");
  await publisher.getByRole("button", { name: "Go live" }).click();
  await untilState(viewer, "live");
  await untilPictureOf("anna", () => eyes.pictureOf("#picture"), { deadlineMs: 4000 });
  await publisher.close();
  await viewer.close();
});

test("[MED-10] the server is killed with -9 and started again: the picture is back within 5 s of ready", async (context) => {
  const publisher = await chromium.openPage(server.url);
  await goLive(publisher, "survivor");
  const viewer = await chromium.openPage(`${server.url}/watch?room=lobby&stream=survivor`);
  const eyes = new BrowserClient(pageScript(viewer));
  await untilPictureOf("anna", () => eyes.pictureOf("#picture"), { deadlineMs: 8000 });
  for (const round of [1, 2]) {
    const phases = new Phases();
    await server.kill9();
    phases.mark("killed");
    // Chromium itself would take some 5 s to call the path disconnected.
    await Promise.all([untilState(viewer, "server-away", 4000), untilState(publisher, "server-away", 4000)]);
    phases.mark("noticed");
    if (round === 1) await shoot(viewer, "server-away");
    await server.restart();
    phases.mark("ready");
    await untilState(publisher, "live", BACK_DEADLINE_MS);
    phases.mark("publisher back");
    await untilPictureOf("anna", () => eyes.pictureOf("#picture"), { deadlineMs: BACK_DEADLINE_MS, phases });
    phases.mark("picture back");
    context.diagnostic(`round ${round}: ${phases.toString()}`);
    assert.ok(phases.between("killed", "noticed") < 3000, `noticed late; ${phases.toString()}`);
    assert.ok(phases.between("ready", "picture back") < BACK_DEADLINE_MS, `back late; ${phases.toString()}`);
    await untilToneOf("anna", () => eyes.toneOf("#picture"), { deadlineMs: 4000, phases });
  }
  await publisher.close();
  await viewer.close();
});

test("a second page under the same name takes the stream over; the first one says so and does not fight", async () => {
  const first = await chromium.openPage(server.url);
  await goLive(first, "contested");
  const second = await chromium.openPage(server.url);
  await goLive(second, "contested");
  await first.getByText("This stream is now published from somewhere else").waitFor({ timeout: 8000 });
  await shoot(first, "taken-over");
  await untilState(second, "live");
  await first.close();
  await second.close();
});

test("on plain HTTP from another address the page says why there is no camera; watching is offered", async () => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && one.family === "IPv4" && !one.internal)?.address;
  assert.ok(address !== undefined, "this test needs an address that is not the loopback's");
  const page = await chromium.openPage(`http://${address}:${server.httpPort}/`);
  const notice = page.getByRole("alert");
  await notice.getByRole("heading", { name: "Your browser allows the camera only on a secure address" }).waitFor();
  assert.match((await notice.textContent()) ?? "", /HTTPS/);
  assert.equal(await page.getByRole("button", { name: "Go live" }).isDisabled(), true);
  await shoot(page, "insecure");
  await page.getByRole("link", { name: "Watch" }).click();
  await page.getByRole("heading", { name: "Watch a stream" }).waitFor();
  await page.close();
});

test("a stream is watched over plain HTTP from another address of the machine: answers name that address", async () => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && one.family === "IPv4" && !one.internal)?.address;
  assert.ok(address !== undefined, "this test needs an address that is not the loopback's");
  const publisher = await chromium.openPage(server.url);
  await goLive(publisher, "afar");
  const viewer = await chromium.openPage(`http://${address}:${server.httpPort}/watch?room=lobby&stream=afar`);
  const eyes = new BrowserClient(pageScript(viewer));
  await untilPictureOf("anna", () => eyes.pictureOf("#picture"), { deadlineMs: 8000 });
  await publisher.close();
  await viewer.close();
});

test("a user who refuses the camera is told what to do; dark, on a phone", async () => {
  const phone = await startChromium({ denyCapture: true, colourScheme: "dark", viewport: { width: 390, height: 844 } });
  try {
    const page = await phone.openPage(server.url);
    await page.getByRole("button", { name: "Go live" }).click();
    await page.getByRole("heading", { name: "The browser may not use your camera or microphone" }).waitFor();
    await shoot(page, "refused-phone-dark");
    assert.equal(await page.getByRole("button", { name: "Go live" }).isEnabled(), true);
    const wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");
    assert.equal(wide, false, "the page scrolls sideways on a phone");
  } finally {
    await phone.close();
  }
});

test("a link with a token that is not valid says so, and does not try for ever", async () => {
  const page = await chromium.openPage(`${server.url}/watch?room=lobby&stream=main#token=not.a.token`);
  await page.getByRole("heading", { name: "The access token is not valid" }).waitFor({ timeout: 8000 });
  await shoot(page, "bad-token");
  await page.close();
});

test("the page is used with the keyboard alone", async () => {
  const page = await chromium.openPage(server.url);
  const reached: string[] = [];
  for (let press = 0; press < 14; press += 1) {
    await page.keyboard.press("Tab");
    reached.push(
      String(
        await page.evaluate(
          "document.activeElement?.id || document.activeElement?.name || document.activeElement?.textContent",
        ),
      ),
    );
  }
  for (const id of ["room", "stream", "camera", "microphone", "resolution", "codec", "go"])
    assert.ok(reached.includes(id), `${id} in ${reached.join(" ")}`);
  await page.locator("#stream").fill("keys");
  await page.locator("#resolution").selectOption("180");
  await page.locator("#go").focus();
  await page.keyboard.press("Enter");
  await untilState(page, "live");
  await page.close();
});
