import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Room } from "@parley/sdk";
import {
  type CaptureFiles,
  type Chromium,
  type ParleyProcess,
  type Person,
  startChromium,
  startParley,
  until,
  writeCaptureFiles,
} from "@parley/testing";
import { DemoPage } from "../demo-stage.ts";
import { SdkPage } from "../sdk-stage.ts";

/** Many people in the demo: pages, views, and how it looks on a desk and in a hand, by day and by night. */

const limit = { timeout: 60_000 };
const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

let server: ParleyProcess;
let capture: CaptureFiles;
let chromium: Chromium;
let screenshots: string;

before(async () => {
  screenshots = await mkdtemp(join(tmpdir(), "parley-demo-screenshots-"));
  console.log(`screenshots: ${screenshots}`);
  capture = await writeCaptureFiles("anna");
  server = await startParley();
  chromium = await startChromium(capture);
});
after(async () => {
  await chromium?.close();
  await capture?.remove();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

const looks = {
  desktop: { size: desktop, schemes: ["light", "dark"] },
  phone: { size: phone, schemes: ["dark", "light"] },
} as const;

/** One picture per look: two of four, or all. Settled: what moves has arrived. */
async function shoot(demo: DemoPage, name: string, all = false): Promise<void> {
  for (const [device, { size, schemes }] of Object.entries(looks)) {
    await demo.page.setViewportSize(size);
    for (const colorScheme of all ? schemes : [schemes[0]]) {
      await demo.page.emulateMedia({ colorScheme });
      await demo.page.waitForTimeout(300);
      await demo.page.screenshot({ path: join(screenshots, `${name}-${device}-${colorScheme}.png`) });
      const overflow = await demo.page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(overflow) <= 0, `${name} is wider than a ${device} by ${String(overflow)} px`);
    }
  }
  await demo.page.setViewportSize(desktop);
  await demo.page.emulateMedia({ colorScheme: "light" });
}

/** People without camera: from Node, where they cost nothing. */
async function guests(room: string, names: readonly string[]): Promise<readonly Room[]> {
  const token = await server.token({ room, publish: true, subscribe: true });
  const all: Room[] = [];
  for (const name of names) {
    const guest = new Room();
    await guest.connect(server.url, token, { room, name });
    all.push(guest);
  }
  return all;
}

/** People with a camera, in one page, who look at nobody. */
async function publishers(room: string, people: readonly Person[], only?: "pictures only"): Promise<SdkPage> {
  const page = await SdkPage.open(chromium);
  const token = await server.token({ room, publish: true, subscribe: true });
  for (const person of people) {
    const media = await page.makeMedia(person);
    const request = { name: person, url: server.url, token, room, options: { receive: false } };
    await page.join(only === undefined ? { ...request, media } : request);
    if (only === undefined) continue;
    const picture = `parleyTest.medias.get(${media}).stream.getVideoTracks()[0]`;
    await page.room(person, `void (await room.localParticipant.publishTrack(${picture}))`);
  }
  return page;
}

const names = [
  "Mira Okafor",
  "Jonas Weber",
  "Li Wei",
  "Sofia Rossi",
  "Amir Haddad",
  "Nora Lind",
  "Tom Baker",
  "Ines Dias",
];

test("[SIG-6] looks: form, meeting, speaker view, people, chat, lobby, end", limit, async () => {
  const room = "design-review";
  const anna = await DemoPage.open(chromium, server, { room, name: "Anna Berg", host: true });
  await anna.reads("Your name");
  await anna.page.locator(".preview video").waitFor();
  await shoot(anna, "form", true);
  await anna.click("Join");
  await anna.inMeeting();
  const page = await publishers(room, ["ben", "carla"]);
  const others = await guests(room, names.slice(0, 4));
  // Pages behind others draw rarely.
  await anna.page.bringToFront();
  for (const person of ["ben", "carla"] as const) await anna.sees(person, person);
  await others[0]?.localParticipant.setHandRaised(true);
  await shoot(anna, "meeting", true);
  await anna.page.getByRole("button", { name: "Pin carla", exact: true }).focus();
  await anna.page.keyboard.press("Enter");
  await shoot(anna, "pinned");
  await anna.page.keyboard.press("Enter");
  await others[1]?.localParticipant.sendData("Shall we start with the new icons?", { topic: "chat" });
  await others[2]?.localParticipant.sendData("Yes. The draft: https://example.org/icons", { topic: "chat" });
  await anna.click(/^Chat/);
  await anna.page.getByLabel("Message to everybody").fill("Two minutes, I am looking for it");
  await anna.click("Send");
  await anna.reads("Two minutes");
  await shoot(anna, "chat");
  await anna.click("People");
  await anna.page.getByRole("switch", { name: "Lobby" }).click();
  const waiting = await DemoPage.open(chromium, server, { room, name: "Elif Demir" });
  await waiting.click("Join");
  await waiting.reads("You are in the lobby");
  await shoot(waiting, "lobby");
  await anna.page.bringToFront();
  await anna.page.getByRole("button", { name: "Let Elif Demir in" }).waitFor();
  await anna.click("Actions for ben");
  await shoot(anna, "people");
  await anna.page.setViewportSize(phone);
  await anna.click("Close panel");
  await anna.click(/^More/);
  await anna.page.waitForTimeout(200);
  await anna.page.screenshot({ path: join(screenshots, "more-phone-light.png") });
  await anna.page.keyboard.press("Escape");
  await anna.page.setViewportSize(desktop);
  await anna.click("Settings");
  await anna.reads("Round trip");
  await shoot(anna, "settings");
  await anna.page.keyboard.press("Escape");
  await anna.click("Leave");
  await anna.reads("You have left");
  await shoot(anna, "left");
  for (const guest of others) await guest.disconnect();
  await Promise.all([page.client.page.close(), waiting.page.close(), anna.page.close()]);
});

test("[SIG-6] 15 people on a phone: pages; who is on another page is not received", limit, async () => {
  const room = "crowd";
  const anna = await DemoPage.join(chromium, server, { room, name: "Anna" });
  await anna.page.setViewportSize(phone);
  const others = await guests(room, [...names, "Ola Nord", "Pia Kern", "Kofi Mensah", "Yuki Sato"]);
  // They come last, so they stand on the last page; without a voice nobody is brought forward.
  const page = await publishers(room, ["ben", "carla"], "pictures only");
  await anna.page.bringToFront();
  await anna.reads("Page 1 of 2");
  await anna.page.locator(anna.tile("ben")).waitFor({ state: "detached", timeout: 4_000 });
  const grows = async (): Promise<boolean> => {
    const before = await anna.framesReceived();
    await anna.page.waitForTimeout(700);
    return (await anna.framesReceived()) > before;
  };
  await until(async () => !(await grows()), { what: "no pictures come in on page 1", deadlineMs: 8_000 });
  await anna.click("Next page");
  await anna.sees("ben", "ben");
  await anna.sees("carla", "carla");
  await anna.click("Previous page");
  await until(async () => !(await grows()), { what: "no pictures come in any more", deadlineMs: 8_000 });
  await anna.page.keyboard.press("PageDown");
  await anna.sees("ben", "ben");
  // Everybody has room on a desk.
  await anna.page.setViewportSize(desktop);
  for (const name of [...names, "ben", "carla"]) await anna.hasTile(name);
  await anna.sees("carla", "carla");
  await anna.page.screenshot({ path: join(screenshots, "crowd-desktop-light.png") });
  for (const guest of others) await guest.disconnect();
  await Promise.all([page.client.page.close(), anna.page.close()]);
});
