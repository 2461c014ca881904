import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Room } from "@parley/sdk";
import { type Chromium, type ParleyProcess, startChromium, startParley, until } from "@parley/testing";
import { DemoPage } from "../demo-stage.ts";

/** A whole meeting without a mouse, and without eyes: keys, the focus, and what is announced. Every key waits until there is something to press it for. */

const limit = { timeout: 60_000 };

let server: ParleyProcess;
let annas: Chromium;
let bens: Chromium;

before(async () => {
  server = await startParley();
  annas = await startChromium();
  bens = await startChromium();
});
after(async () => {
  await annas?.close();
  await bens?.close();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

const control = (demo: DemoPage, key: string, text: string): Promise<void> =>
  demo.page.locator(`[data-control="${key}"]`, { hasText: text }).waitFor({ timeout: 5_000 });

async function join(room: string): Promise<DemoPage> {
  const anna = await DemoPage.open(annas, server, { room: "", name: "" });
  const { keyboard } = anna.page;
  await anna.page.bringToFront();
  await anna.page.getByRole("switch", { name: "I am the host" }).waitFor();
  await anna.hasFocus("Your name", "input");
  await keyboard.type("Anna");
  await keyboard.press("Tab");
  await anna.hasFocus("Room", "input");
  await keyboard.type(room);
  await keyboard.press("Tab");
  await anna.hasFocus("I am the host", "input");
  await keyboard.press("Space");
  await anna.page.getByRole("switch", { name: "I am the host", checked: true }).waitFor();
  await anna.keyTo("Join");
  await keyboard.press("Enter");
  await anna.inMeeting();
  await anna.hasFocus(`Meeting in room ${room}`, "h1");
  return anna;
}

test("[SIG-6] keys alone: in, tiles, toolbar, mute, settings, chat, hand, and out", limit, async () => {
  const anna = await join("keys");
  const { keyboard } = anna.page;
  await control(anna, "microphone", "Mute");
  await control(anna, "camera", "Stop camera");
  // What is on the screen comes from above to below; many tiles and many buttons are one stop each.
  await keyboard.press("Tab");
  await anna.hasFocus("Pin Anna (you)", "button");
  await keyboard.press("Tab");
  await anna.hasFocus("Copy the link", "button");
  await keyboard.press("Tab");
  await anna.hasFocus("Mute", "button");
  assert.equal((await anna.focused()).isSeen, true);
  await keyboard.press("Enter");
  await control(anna, "microphone", "Unmute");
  await anna.announces("Microphone off");
  await anna.hasFocus("Unmute");
  await keyboard.press("ArrowRight");
  await anna.hasFocus("Stop camera");
  await keyboard.press("ArrowLeft");
  await keyboard.press("ArrowLeft");
  await anna.hasFocus("Settings");
  await keyboard.press("Home");
  await anna.hasFocus("Unmute");
  await keyboard.press("m");
  await anna.announces("Microphone on");
  await control(anna, "microphone", "Mute");
  assert.deepEqual(await anna.audit(), []);

  // A dialog takes the focus, keeps it, and gives it back.
  await keyboard.press("End");
  await anna.hasFocus("Settings");
  await keyboard.press("Enter");
  await anna.page.getByRole("dialog", { name: "Settings" }).waitFor();
  for (let presses = 0; presses < 20; presses += 1) {
    await keyboard.press("Tab");
    const { isInDialog, tag, name } = await anna.focused();
    // At its end the browser's own controls are next.
    assert.ok(isInDialog || tag === "", `${name} is outside of the dialog`);
  }
  assert.deepEqual(await anna.audit(), []);
  await keyboard.press("Escape");
  await anna.page.getByRole("dialog").waitFor({ state: "detached" });
  await anna.hasFocus("Settings");

  await keyboard.press("c");
  await anna.hasFocus("Message to everybody", "textarea");
  // Letters are letters while one writes.
  await keyboard.type("hm");
  await keyboard.press("Enter");
  await anna.page.getByRole("log").getByText("hm", { exact: true }).waitFor();
  await control(anna, "microphone", "Mute");
  await keyboard.press("Escape");
  await anna.page.getByLabel("Message to everybody").waitFor({ state: "detached" });
  await anna.hasFocus("Chat", "button");
  await keyboard.press("h");
  await anna.announces("Your hand is raised");
  await keyboard.press("g");
  await control(anna, "layout", "Grid view");

  await anna.keyTo("Leave", "ArrowLeft");
  await keyboard.press("Enter");
  await anna.hasFocus("You have left", "h1");
  assert.deepEqual(await anna.audit(), []);
  await anna.keyTo("Join again");
  await keyboard.press("Enter");
  await anna.inMeeting();
  await anna.page.close();
});

test("[SIG-6] keys alone: a host mutes, lets in, removes; joining and leaving is announced", limit, async () => {
  const anna = await join("keyhost");
  const { keyboard } = anna.page;
  const ben = await DemoPage.join(bens, server, { room: "keyhost", name: "Ben" });
  await control(ben, "microphone", "Mute");
  await anna.announces("Ben joined");
  await anna.page.locator(`${anna.tile("Ben")}:not([aria-label*="muted"])`).waitFor();

  await keyboard.press("p");
  await anna.hasFocus("People", "h2");
  await anna.keyTo("Actions for Ben");
  await keyboard.press("Enter");
  await anna.page.getByRole("button", { name: "Actions for Ben", expanded: true }).waitFor();
  await anna.keyTo("Mute");
  await keyboard.press("Enter");
  await ben.announces("The host muted your microphone");
  // The menu is gone, its button is not.
  await anna.hasFocus("Actions for Ben");

  await anna.keyTo("Lobby");
  await keyboard.press("Space");
  await anna.page.getByRole("switch", { name: "Lobby", checked: true }).waitFor();
  const carla = new Room();
  const token = await server.token({ room: "keyhost", publish: true, subscribe: true });
  const isIn = new Promise<void>((resolve) => {
    carla.on("admitted", () => resolve());
  });
  await carla.connect(server.url, token, { room: "keyhost", name: "Carla" });
  await anna.page.getByRole("button", { name: "Let Carla in" }).waitFor();
  await anna.keyTo("Let Carla in", "Shift+Tab");
  await keyboard.press("Enter");
  await isIn;
  await anna.announces("Carla joined");
  // The list of those who wait is gone with the button.
  await anna.hasFocus("People", "h2");
  assert.deepEqual(await anna.audit(), []);
  await carla.disconnect();
  await anna.announces("Carla left");

  await anna.keyTo("Actions for Ben");
  await keyboard.press("Enter");
  await anna.page.getByRole("button", { name: "Actions for Ben", expanded: true }).waitFor();
  await anna.keyTo("Remove");
  await keyboard.press("Enter");
  await anna.page.getByRole("dialog", { name: "Remove Ben?" }).waitFor();
  await until(async () => (await anna.focused()).isInDialog, { what: "the focus is in the dialog", deadlineMs: 3_000 });
  assert.deepEqual(await anna.audit(), []);
  // No by Escape: back to where one was.
  await keyboard.press("Escape");
  await anna.page.getByRole("dialog").waitFor({ state: "detached" });
  await anna.hasFocus("Remove");
  await keyboard.press("Enter");
  await anna.page.getByRole("dialog", { name: "Remove Ben?" }).waitFor();
  await anna.keyTo("Remove");
  await keyboard.press("Enter");
  await ben.hasFocus("You were removed", "h1");
  await anna.announces("Ben was removed");
  await anna.page.getByRole("dialog").waitFor({ state: "detached" });
  await anna.hasFocus("People", "h2");

  await keyboard.press("Escape");
  await anna.page.getByRole("complementary", { name: "People" }).waitFor({ state: "detached" });
  await anna.hasFocus("People", "button");
  await anna.keyTo("Leave", "ArrowLeft");
  await keyboard.press("Enter");
  await anna.hasFocus("You have left", "h1");
  await Promise.all([anna.page.close(), ben.page.close()]);
});
