import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mintToken } from "@parley/domain-access";
import { Room } from "@parley/sdk";
import { type Chromium, type ParleyProcess, startChromium, startParley } from "@parley/testing";
import { desktop, Shots } from "../demo-shots.ts";
import { DemoPage, tokenFor } from "../demo-stage.ts";

/** What the demo says when something is wrong, and that it goes on by itself where it can. */

const limit = { timeout: 60_000 };
const secret = "a-secret-of-this-test-and-no-other-one";

let server: ParleyProcess;
let chromium: Chromium;
let shots: Shots;

before(async () => {
  shots = await Shots.open();
  server = await startParley();
  chromium = await startChromium({ viewport: desktop });
});
after(async () => {
  await chromium?.close();
  assert.equal(await server?.stop(), 0, server?.lines().slice(-20).join("\n"));
});

/** A second browser's user, who needs no page. */
async function hostOf(room: string): Promise<Room> {
  const host = new Room();
  await host.connect(server.url, await tokenFor(server, "hana", true), { room, name: "Hana Host" });
  return host;
}

test(
  "[SIG-6] the preview: another microphone is opened, the one before is closed, the meter shows it",
  limit,
  async () => {
    const anna = await DemoPage.open(chromium, server, { room: "mirror", name: "Anna" });
    await anna.holds({ cameras: 1, microphones: 1 });
    const choice = anna.page.getByRole("combobox", { name: "Microphone" });
    // Names and ids come with the permission.
    await choice.locator("option").nth(1).waitFor({ state: "attached" });
    const others = await choice
      .locator("option")
      .evaluateAll((all) =>
        all.map((one) => (one as HTMLOptionElement).value).filter((id) => id !== "" && id !== "default"),
      );
    const [wanted = ""] = others;
    assert.notEqual(wanted, "");
    await choice.selectOption(wanted);
    await anna.page.waitForFunction((deviceId) => {
      const { captured } = (globalThis as unknown as { demoWatch: { captured: readonly MediaStreamTrack[] } })
        .demoWatch;
      const live = captured.filter(({ kind, readyState }) => kind === "audio" && readyState === "live");
      return live.length === 1 && live[0]?.getSettings().deviceId === deviceId;
    }, wanted);
    // Looked at with each drawn frame: the fake microphone beeps for a moment twice a second.
    await anna.page.waitForFunction(() => document.querySelector(".level-meter .is-lit") !== null);
    await anna.click("Microphone");
    await anna.holds({ cameras: 1, microphones: 0 });
    await anna.click("Camera");
    await anna.holds({ cameras: 0, microphones: 0 });
    await anna.reads("Your camera is off");
    await anna.page.close();
  },
);

test("[SIG-6] camera and microphone refused: the demo says what to do, and joins without", limit, async () => {
  const refusing = await startChromium({ denyCapture: true });
  try {
    const anna = await DemoPage.open(refusing, server, { room: "refused", name: "Anna" });
    await anna.reads("Camera and microphone are not allowed");
    await shots.take(anna, "no-permission");
    await anna.click("Join");
    await anna.inMeeting();
    await anna.click("Start camera");
    await anna.page.locator(".notice", { hasText: "Camera is not allowed" }).waitFor();
    const bens = await DemoPage.join(chromium, server, { room: "refused", name: "Ben" });
    // Seeing others needs no camera of one's own.
    await anna.page.locator(`${anna.tile("Ben")} video`).waitFor();
    await bens.page.close();
    shots.check();
  } finally {
    await refusing.close();
  }
});

/** Opens the form, with cameras that fail in this way. */
async function withoutCamera(room: string, name: string): Promise<DemoPage> {
  const anna = await DemoPage.open(chromium, server, { room, name: "Anna" });
  await anna.page.locator(".preview video").waitFor();
  await anna.page.evaluate((error) => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      if (constraints?.video === undefined) return open(constraints);
      throw new DOMException("It does not work", error);
    };
  }, name);
  // Off and on: opened again.
  await anna.click("Camera");
  await anna.page.locator(".preview video").waitFor({ state: "detached" });
  await anna.click("Camera");
  return anna;
}

test("[SIG-6] another program has the camera: the demo says so, and tries again when told to", limit, async () => {
  const anna = await withoutCamera("busy", "NotReadableError");
  await anna.reads("Camera is in use");
  await shots.take(anna, "in-use");
  // The other program has ended.
  await anna.page.reload();
  await anna.page.locator(".preview video").waitFor();
  await anna.page.close();
  shots.check();
});

test("[SIG-6] no camera at all: the demo says so, and joins with sound only", limit, async () => {
  const anna = await withoutCamera("blind", "NotFoundError");
  await anna.reads("No camera found");
  await shots.take(anna, "no-camera");
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
      if (words.includes("expired")) await shots.take(anna, "expired");
      await anna.page.close();
    }
    const token = mintToken({ ...claims, iss: "ours", room: "links" }, secret);
    const anna = await DemoPage.open(chromium, server2, { room: "other", name: "Anna", token });
    assert.equal(await anna.page.getByLabel("Room").inputValue(), "links");
    await anna.click("Join");
    await anna.inMeeting();
    await anna.page.close();
    // A meeting ends with its invitation.
    const exp = Math.floor(Date.now() / 1000) + 3;
    const brief = mintToken({ ...claims, iss: "ours", room: "links", exp }, secret);
    const late = await DemoPage.join(chromium, server2, { room: "links", name: "Anna", token: brief });
    await late.page.getByRole("heading", { name: "This invitation has expired" }).waitFor({ timeout: 15_000 });
    await late.holds({ cameras: 0, microphones: 0 });
    await shots.take(late, "expired-meanwhile");
    await late.page.close();
    shots.check();
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
  await shots.take(anna, "server-away");
  await server.restart();
  await anna.inMeeting();
  // Away again, in the meeting; how soon it is back is another test's.
  await server.kill9();
  await anna.reads("The server is away. Reconnecting by itself");
  await shots.take(anna, "server-away-meanwhile");
  await server.restart();
  await anna.page.getByText("The server is away").waitFor({ state: "detached", timeout: 15_000 });
  await anna.announces("You are back");
  await anna.page.close();
  shots.check();
});

test("[SIG-4] the host turns one away, removes one, closes the room; a full room", limit, async () => {
  const host = await hostOf("strict");
  await host.host.updateRoom({ lobbyEnabled: true });
  const anna = await DemoPage.open(chromium, server, { room: "strict", name: "Anna" });
  const waits = new Promise<string>((resolve) => {
    host.on("lobbyChanged", ([guest]) => {
      if (guest !== undefined) resolve(guest.id);
    });
  });
  await anna.click("Join");
  await anna.reads("You are in the lobby");
  await host.host.deny([await waits]);
  await anna.page.getByRole("heading", { name: "The host did not let you in" }).waitFor();
  await shots.take(anna, "not-admitted");

  await host.host.updateRoom({ lobbyEnabled: false });
  const isHere = (): Promise<string> =>
    new Promise((resolve) => {
      host.on("participantConnected", ({ id }) => resolve(id));
    });
  let here = isHere();
  await anna.click("Join again");
  await anna.inMeeting();
  await host.host.remove(await here);
  await anna.page.getByRole("heading", { name: "You were removed" }).waitFor();
  await anna.holds({ cameras: 0, microphones: 0 });
  await shots.take(anna, "removed");

  here = isHere();
  await anna.click("Join again");
  await anna.inMeeting();
  await here;
  await host.host.closeRoom();
  await anna.page.getByRole("heading", { name: "The meeting has ended" }).waitFor();
  await shots.take(anna, "closed");
  await anna.page.close();

  const couple = [new Room(), new Room()];
  const token = await server.token({ room: "two", publish: true, subscribe: true });
  for (const one of couple) await one.connect(server.url, token, { room: "two", name: "One", kind: "one-to-one" });
  const third = await DemoPage.open(chromium, server, { room: "two", name: "Third" });
  await third.click("Join");
  await third.reads("The room is full");
  await shots.take(third, "full");
  await third.page.close();
  for (const one of couple) await one.disconnect();
  shots.check();
});
