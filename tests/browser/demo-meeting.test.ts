import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Room } from "@parley/sdk";
import {
  type CaptureFiles,
  type Chromium,
  type ParleyProcess,
  Phases,
  startChromium,
  startParley,
  until,
  writeCaptureFiles,
} from "@parley/testing";
import { DemoPage, tokenFor } from "../demo-stage.ts";

/** The demo by clicks and keys: two people with cameras of their own, in two browsers. */

const limit = { timeout: 60_000 };
/** What the demo promises after the server is ready again. */
const backDeadlineMs = 5_000;

let server: ParleyProcess;
let captures: readonly CaptureFiles[] = [];
let annas: Chromium;
let bens: Chromium;

before(async () => {
  captures = [await writeCaptureFiles("anna"), await writeCaptureFiles("ben")];
  server = await startParley();
  annas = await startChromium(captures[0]);
  bens = await startChromium(captures[1]);
});
after(async () => {
  await annas?.close();
  await bens?.close();
  for (const capture of captures) await capture.remove();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

const openAnna = (room: string): Promise<DemoPage> => DemoPage.join(annas, server, { room, name: "Anna", host: true });
const openBen = (room: string): Promise<DemoPage> => DemoPage.join(bens, server, { room, name: "Ben" });

test("[SIG-6] two people meet: pictures, voices, mute, camera, screen, chat, hand, by clicks", limit, async () => {
  const anna = await openAnna("meet");
  const ben = await openBen("meet");
  await Promise.all([anna.sees("ben", "Ben"), ben.sees("anna", "Anna")]);
  await Promise.all([anna.hears("ben"), ben.hears("anna")]);
  await anna.page.locator(`${anna.tile("Ben")}.is-speaking`).waitFor({ timeout: 4_000 });

  await ben.click("Mute");
  await anna.page.locator(`${anna.tile("Ben")}[aria-label*="muted"]`).waitFor({ timeout: 4_000 });
  await anna.hearsNobody();
  await ben.click("Unmute");
  await anna.hears("ben");

  // The form's preview has gone, the meeting has its own.
  await ben.holds({ cameras: 1, microphones: 1 });
  await ben.click("Stop camera");
  await anna.page.locator(`${anna.tile("Ben")} video`).waitFor({ state: "detached", timeout: 4_000 });
  await anna.page.locator(`${anna.tile("Ben")}[aria-label*="camera off"]`).waitFor();
  // Off is off: the light at the camera goes out.
  await ben.holds({ cameras: 0, microphones: 1 });
  await ben.click("Start camera");
  await anna.sees("ben", "Ben");

  await ben.click("Share screen");
  await anna.page.locator(`${anna.tile("Ben", "screen")} video`).waitFor({ timeout: 5_000 });
  // The shared screen is the large tile, and has a picture of its own size.
  await until(
    () =>
      anna.page.evaluate(
        (selector) => (document.querySelector(selector) as HTMLVideoElement).videoWidth > 320,
        `${anna.tile("Ben", "screen")} video`,
      ),
    { what: "the screen is received", deadlineMs: 8_000 },
  );
  await ben.click("Stop sharing");
  await anna.page.locator(anna.tile("Ben", "screen")).waitFor({ state: "detached", timeout: 4_000 });

  await anna.click("Chat");
  await ben.click("Chat");
  await ben.page.getByLabel("Message to everybody").fill("Look at https://example.org/plan <b>now</b>");
  await ben.click("Send");
  await anna.reads("<b>now</b>");
  assert.equal(await anna.page.locator(".message a").getAttribute("href"), "https://example.org/plan");
  await ben.click("Raise hand");
  await anna.reads("Ben raised a hand");
  await anna.page.locator(`${anna.tile("Ben")} .tile-hand`).waitFor();

  await ben.click("Leave");
  await ben.reads("You have left");
  await ben.holds({ cameras: 0, microphones: 0 });
  await anna.page.locator(anna.tile("Ben")).waitFor({ state: "detached", timeout: 4_000 });
  await ben.click("Join again");
  await anna.sees("ben", "Ben");
  await Promise.all([anna.page.close(), ben.page.close()]);
});

test(
  "[SIG-4] a host lets people in, mutes them, asks them, moves them and back, removes them, ends it",
  limit,
  async () => {
    const anna = await openAnna("hosted");
    await anna.click("People");
    await anna.page.getByRole("switch", { name: "Lobby" }).click();
    // The switch shows what the server says.
    await anna.page.getByRole("switch", { name: "Lobby", checked: true }).waitFor();
    const ben = await DemoPage.open(bens, server, { room: "hosted", name: "Ben" });
    await ben.click("Join");
    await ben.reads("You are in the lobby");
    await anna.click("Let Ben in");
    await ben.inMeeting();
    await anna.page.getByRole("switch", { name: "Lobby" }).click();
    await anna.hears("ben");

    await anna.click("Actions for Ben");
    await anna.page.locator(".person-actions").getByRole("button", { name: "Mute" }).click();
    await ben.reads("The host muted your microphone");
    await anna.hearsNobody();
    await anna.click("Actions for Ben");
    await anna.click("Ask to unmute");
    await ben.reads("The host asks you to unmute");
    await ben.page.locator(".notice").getByRole("button", { name: "Unmute" }).click();
    await anna.hears("ben");

    await anna.click("Actions for Ben");
    await anna.click("Move to a breakout room");
    await anna.page.getByLabel("Breakout room").fill("corner");
    await anna.click("Move");
    await ben.reads("Back to hosted");
    await anna.page.locator(anna.tile("Ben")).waitFor({ state: "detached", timeout: 4_000 });
    await anna.click("Bring back");
    await anna.sees("ben", "Ben");

    await anna.click("Actions for Ben");
    await anna.click("Remove");
    await anna.page.locator("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await ben.reads("You were removed");
    await ben.click("Join again");
    await ben.inMeeting();
    await anna.click("End for all");
    await anna.page.locator("dialog").getByRole("button", { name: "End for all" }).click();
    await ben.reads("The meeting has ended");
    await anna.reads("The meeting has ended");
    await Promise.all([anna.page.close(), ben.page.close()]);
  },
);

test("[SIG-4] a host whose token is for one room sends to a breakout room and brings back", limit, async () => {
  const token = await tokenFor(server, "anna", true, "maths");
  const anna = await DemoPage.join(annas, server, { room: "maths", name: "Anna", token });
  const ben = new Room();
  const movedTo = (): Promise<string> => new Promise((resolve) => ben.on("moved", resolve));
  await ben.connect(server.url, await tokenFor(server, "ben", false, "maths"), { name: "Ben" });
  await anna.click("People");
  await anna.click("Actions for Ben");
  await anna.click("Move to a breakout room");
  await anna.page.getByLabel("Breakout room").fill("corner");
  let moved = movedTo();
  await anna.click("Move");
  assert.equal(await moved, "maths/corner");
  await anna.page.locator(anna.tile("Ben")).waitFor({ state: "detached", timeout: 4_000 });
  moved = movedTo();
  await anna.click("Bring back");
  assert.equal(await moved, "maths");
  await anna.hasTile("Ben");
  await anna.announces("Everybody is back");
  await anna.page.getByRole("heading", { name: "Meeting in room maths", exact: true }).waitFor();
  await ben.disconnect();
  await anna.page.close();
});

test(
  "[SIG-4] the server is killed with -9: the demo says so, and is back within 5 s of ready",
  limit,
  async (context) => {
    const anna = await openAnna("survivors");
    const ben = await openBen("survivors");
    await Promise.all([anna.sees("ben", "Ben"), ben.sees("anna", "Anna")]);
    const phases = new Phases();
    await server.kill9();
    await Promise.all([anna.reads("The server is away"), ben.reads("The server is away")]);
    phases.mark("noticed");
    await server.restart();
    phases.mark("ready");
    await Promise.all([anna.sees("ben", "Ben", backDeadlineMs), ben.sees("anna", "Anna", backDeadlineMs)]);
    phases.mark("back");
    context.diagnostic(phases.toString());
    assert.ok(phases.between("ready", "back") < backDeadlineMs, phases.toString());
    await anna.page.getByText("The server is away").waitFor({ state: "detached", timeout: 2_000 });
    await anna.hears("ben");
    await Promise.all([anna.page.close(), ben.page.close()]);
  },
);
