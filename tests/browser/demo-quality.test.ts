import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type CaptureFiles,
  type Chromium,
  type ParleyProcess,
  startChromium,
  startParley,
  writeCaptureFiles,
} from "@parley/testing";
import { desktop, Shots } from "../demo-shots.ts";
import { DemoPage } from "../demo-stage.ts";
import { NetworkPath } from "../network-path.ts";

/** The mark of the connection, over a network that loses: media goes through a relay of ours, which the server announces. */

const limit = { timeout: 90_000 };
const serverHost = "127.0.0.1";
const relayHost = "127.0.0.4";
/** The node reports every second, rooms tell every other one, a loss is an average over seconds. */
const markDeadlineMs = 20_000;

let server: ParleyProcess;
let captures: readonly CaptureFiles[] = [];
let annas: Chromium;
let bens: Chromium;
let shots: Shots;

before(async () => {
  shots = await Shots.open();
  captures = [await writeCaptureFiles("anna"), await writeCaptureFiles("ben")];
  server = await startParley({ args: ["--media.bind", serverHost, "--media.announce", relayHost] });
  annas = await startChromium({ ...captures[0], viewport: desktop });
  bens = await startChromium({ ...captures[1], viewport: desktop });
});
after(async () => {
  await annas?.close();
  await bens?.close();
  for (const capture of captures) await capture.remove();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

test(
  "[SIG-6] the mark of the connection follows it: good, poor while packets are lost, good again",
  limit,
  async () => {
    await using path = new NetworkPath();
    await path.udp({ host: relayHost, port: server.mediaPort }, serverHost);
    const anna = await DemoPage.join(annas, server, { room: "lossy", name: "Anna" });
    const ben = await DemoPage.join(bens, server, { room: "lossy", name: "Ben" });
    await anna.sees("ben", "Ben");
    const mark = (quality: string): Promise<void> =>
      anna.page
        .locator(anna.tile("Ben"))
        .getByRole("img", { name: `Connection is ${quality}` })
        .waitFor({ timeout: markDeadlineMs });
    await mark("good");
    path.lossRatio = 0.25;
    await mark("poor");
    // In words, too.
    await anna.page.locator(`${anna.tile("Ben")}[aria-label*="connection poor"]`).waitFor();
    await anna.click("People");
    await shots.take(anna, "poor-connection");
    path.lossRatio = 0;
    await mark("good");

    // No media at all, while the server itself can be reached: the demo says what is missing, and for how long.
    path.isDown = true;
    await anna.reads("Sound and pictures are being restored", 15_000);
    await shots.take(anna, "no-media");
    path.isDown = false;
    await anna.page.getByText("Sound and pictures are being restored").waitFor({ state: "detached", timeout: 15_000 });
    await anna.sees("ben", "Ben");
    await Promise.all([anna.page.close(), ben.page.close()]);
    shots.check();
  },
);
