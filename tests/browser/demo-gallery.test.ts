import assert from "node:assert/strict";
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
import { desktop, phone, Shots } from "../demo-shots.ts";
import { DemoPage, tokenFor } from "../demo-stage.ts";
import { SdkPage } from "../sdk-stage.ts";

/** Many people in the demo: pages, views, and how it looks on a desk and in a hand, by day and by night. */

const limit = { timeout: 120_000 };

let server: ParleyProcess;
let capture: CaptureFiles;
let chromium: Chromium;
let shots: Shots;

before(async () => {
  shots = await Shots.open();
  capture = await writeCaptureFiles("anna");
  server = await startParley();
  chromium = await startChromium({ ...capture, viewport: desktop });
});
after(async () => {
  await chromium?.close();
  await capture?.remove();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

/** People without camera: from Node, where they cost nothing. */
async function guests(room: string, names: readonly string[]): Promise<readonly Room[]> {
  const all: Room[] = [];
  for (const name of names) {
    const guest = new Room();
    const token = await tokenFor(server, name);
    await guest.connect(server.url, token, { room, name });
    all.push(guest);
  }
  return all;
}

/** People with test cards, in one page, who look at nobody and say nothing. */
async function publishers(room: string, people: readonly Person[]): Promise<SdkPage> {
  const page = await SdkPage.open(chromium);
  const token = await server.token({ room, publish: true, subscribe: true });
  for (const person of people) {
    const media = await page.makeMedia(person);
    await page.join({ name: person, url: server.url, token, room, options: { receive: false } });
    const picture = `parleyTest.medias.get(${media}).stream.getVideoTracks()[0]`;
    await page.room(person, `void (await room.localParticipant.publishTrack(${picture}))`);
  }
  return page;
}

/** Drawn people with a camera, in one page; the first of them can speak. */
class Sitters {
  readonly page: SdkPage;
  readonly #room: string;
  #count = 0;

  private constructor(page: SdkPage, room: string) {
    this.page = page;
    this.#room = room;
  }

  static async open(room: string): Promise<Sitters> {
    const page = await SdkPage.open(chromium);
    await page.client.page.evaluate(DemoPage.inPage);
    return new Sitters(page, room);
  }

  async join(name: string): Promise<void> {
    const { page } = this;
    const token = await tokenFor(server, name);
    await page.join({ name, url: server.url, token, room: this.#room, options: { receive: false } });
    this.#count += 1;
    await page.room(name, `void (await room.localParticipant.publishTrack(demoTest.person(${this.#count})))`);
  }

  async speak(name: string): Promise<void> {
    const media = await this.page.makeMedia("ben");
    const voice = `parleyTest.medias.get(${media}).stream.getAudioTracks()[0]`;
    await this.page.room(name, `void (await room.localParticipant.publishTrack(${voice}))`);
  }

  async share(name: string): Promise<void> {
    const options = `{ source: "screen", stream: "screen" }`;
    await this.page.room(name, `void (await room.localParticipant.publishTrack(demoTest.screen(), ${options}))`);
  }
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
  "Ola Nord",
  "Pia Kern",
  "Kofi Mensah",
  "Yuki Sato",
  "Elena Popescu",
  "Max Huber",
  "Aisha Khan",
  "Lucas Moreau",
  "Hana Novak",
  "Diego Vega",
  "Freya Dahl",
  "Omar Aziz",
  "Ruth Stein",
  "Bo Lindqvist",
  "Maximiliane von Hohenstein-Waldburg zu Lichtenfels",
  "Greta Frost",
] as const;

/** Waits until a tile's picture is there, whatever it shows. */
async function hasPicture(demo: DemoPage, name: string, kind: "person" | "screen" = "person"): Promise<void> {
  await demo.page.waitForFunction(
    (selector) => {
      const video = document.querySelector<HTMLVideoElement>(selector);
      return video !== null && video.videoWidth > 0 && getComputedStyle(video).visibility === "visible";
    },
    `${demo.tile(name, kind)} video`,
    { timeout: 10_000 },
  );
}

/** The user's choice counts more than the system's, and lasts. */
async function chooseColours(demo: DemoPage): Promise<void> {
  const background = (): Promise<string> => demo.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  const choose = async (colours: string): Promise<void> => {
    await demo.click("Settings");
    await demo.page.getByLabel("Colours").selectOption(colours);
    await demo.page.keyboard.press("Escape");
    await demo.page.getByRole("dialog").waitFor({ state: "detached" });
  };
  await choose("dark");
  const dark = await background();
  assert.notEqual(dark, light);
  await choose("system");
  assert.equal(await background(), light);
}

test("[SIG-6] looks: form, alone, speaker, screen, people, chat, host's tools, settings, end", limit, async () => {
  const room = "design-review";
  const anna = await DemoPage.open(chromium, server, { room, name: "Anna Berg", host: true, portrait: 0 });
  await anna.reads("Your name");
  await anna.page.locator(".preview video").waitFor();
  await anna.page.locator(".level-meter .is-lit").first().waitFor();
  await shots.take(anna, "form", "all");
  await shots.readEnlarged(anna, "form");
  await chooseColours(anna);
  await anna.click("Join");
  await anna.inMeeting();
  await anna.reads("Nobody else is here yet");
  await shots.take(anna, "alone", "all");
  const sitters = await Sitters.open(room);
  await sitters.join("Mira Okafor");
  await sitters.join("Jonas Weber");
  await sitters.speak("Mira Okafor");
  const others = await guests(room, ["Li Wei", "Sofia Rossi"]);
  await anna.page.bringToFront();
  await Promise.all([hasPicture(anna, "Mira Okafor"), hasPicture(anna, "Jonas Weber")]);
  await anna.page.locator(`${anna.tile("Mira Okafor")}.is-speaking`).waitFor();
  await others[0]?.localParticipant.setHandRaised(true);
  await anna.reads("Li Wei raised a hand");
  await shots.take(anna, "meeting", "all");
  await shots.readEnlarged(anna, "meeting");
  await anna.click("Speaker view");
  await anna.page.getByRole("button", { name: "Grid view", exact: true }).waitFor();
  // She speaks, and so she is large.
  await anna.page.waitForFunction((selector) => {
    const large = document.querySelector(selector);
    return large !== null && large.clientWidth > innerWidth * 0.7;
  }, anna.tile("Mira Okafor"));
  await shots.take(anna, "speaker", "all");
  await anna.click("Grid view");

  await others[0]?.localParticipant.sendData("Shall we start with the new icons?", { topic: "chat" });
  await others[1]?.localParticipant.sendData("Yes. The draft: https://example.org/icons", { topic: "chat" });
  await anna.reads("Yes. The draft");
  await anna.click(/^Chat/);
  await anna.page.getByLabel("Message to everybody").fill("Two minutes, I am looking for it");
  await anna.click("Send");
  await anna.page.locator(".message", { hasText: "Two minutes" }).waitFor();
  await shots.take(anna, "chat", "all");

  await anna.click("People");
  await anna.page.getByRole("switch", { name: "Lobby" }).click();
  await anna.page.getByRole("switch", { name: "Lobby", checked: true }).waitFor();
  const waiting = await DemoPage.open(chromium, server, { room, name: "Elif Demir" });
  await waiting.click("Join");
  await waiting.reads("You are in the lobby");
  await shots.take(waiting, "lobby");
  await anna.page.bringToFront();
  await anna.page.getByRole("button", { name: "Let Elif Demir in" }).waitFor();
  await anna.click("Actions for Mira Okafor");
  await shots.take(anna, "people", "all");
  await shots.readEnlarged(anna, "people");
  await anna.click("Remove");
  await shots.take(anna, "remove");
  await anna.page.keyboard.press("Escape");
  await anna.click("Move to a breakout room");
  await shots.take(anna, "breakout");
  await anna.page.keyboard.press("Escape");
  await anna.click("Close panel");

  await sitters.share("Jonas Weber");
  await anna.page.bringToFront();
  await hasPicture(anna, "Jonas Weber", "screen");
  await shots.take(anna, "screen", "all");
  await anna.page.setViewportSize(phone);
  await anna.click(/^More/);
  await shots.take(anna, "more", "phone");
  await anna.page.keyboard.press("Escape");
  await anna.page.setViewportSize(desktop);
  await anna.click("Settings");
  await anna.reads("Round trip");
  await shots.take(anna, "settings", "all");
  await anna.page.keyboard.press("Escape");
  await anna.click("Leave");
  await anna.reads("You have left");
  await shots.take(anna, "left");
  for (const guest of others) await guest.disconnect();
  await Promise.all([sitters.page.client.page.close(), waiting.page.close(), anna.page.close()]);
  shots.check();
});

test("[SIG-6] the grid holds 1 to 25 tiles, all inside the stage, and more on pages", limit, async () => {
  const room = "all-hands";
  const anna = await DemoPage.join(chromium, server, { room, name: "Anna Berg", portrait: 0 });
  const sitters = await Sitters.open(room);
  const others: Room[] = [];
  const isTaken = new Set([2, 4, 6, 9, 25]);
  let count = 1;
  // One more than there is room for at last.
  for (const name of [...names, "Zoe Last"]) {
    if (count < 5) await sitters.join(name);
    else others.push(...(await guests(room, [name])));
    count += 1;
    if (!isTaken.has(count)) continue;
    await anna.page.bringToFront();
    await until(async () => (await anna.page.locator(".tile").count()) === count, {
      what: `${count} tiles`,
      deadlineMs: 8_000,
    });
    for (const sitter of names.slice(0, Math.min(count - 1, 4))) await hasPicture(anna, sitter);
    await shots.take(anna, `tiles-${count}`);
  }
  await anna.reads("Page 1 of 2");
  assert.equal(await anna.page.locator(".tile").count(), 25);
  await anna.click("Next page");
  await anna.hasTile("Zoe Last");
  await shots.take(anna, "tiles-page-2");
  for (const guest of others) await guest.disconnect();
  await Promise.all([sitters.page.client.page.close(), anna.page.close()]);
  shots.check();
});

test("[SIG-6] 15 people on a phone: pages; who is on another page is not received", limit, async () => {
  const room = "crowd";
  const anna = await DemoPage.join(chromium, server, { room, name: "Anna", viewport: phone });
  const crowd = names.slice(0, 12);
  const others = await guests(room, crowd);
  // They come last, so they stand on the last page; without a voice nobody is brought forward.
  const page = await publishers(room, ["ben", "carla"]);
  await anna.page.bringToFront();
  await anna.reads("Page 1 of 2");
  await anna.page.locator(anna.tile("ben")).waitFor({ state: "detached", timeout: 4_000 });
  await anna.receivesNothing();
  await anna.click("Next page");
  await anna.sees("ben", "ben");
  await anna.sees("carla", "carla");
  await anna.click("Previous page");
  await anna.receivesNothing();
  await anna.page.keyboard.press("PageDown");
  await anna.sees("ben", "ben");
  // Everybody has room on a desk.
  await anna.page.setViewportSize(desktop);
  for (const name of [...crowd, "ben", "carla"]) await anna.hasTile(name);
  await anna.sees("carla", "carla");
  for (const guest of others) await guest.disconnect();
  await Promise.all([page.client.page.close(), anna.page.close()]);
});
