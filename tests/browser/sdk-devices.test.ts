import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  PEOPLE,
  personOfColour,
  startChromium,
  startParley,
  until,
  type Chromium,
  type ParleyProcess,
} from "@parley/testing";
import { SdkPage, type RoomState, type Tile } from "../sdk-stage.ts";

/** What people do besides talking: share a screen, pull out a camera, open a second tab, reload. */

const limit = { timeout: 60_000 };

let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  server = await startParley();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  const code = await server?.stop();
  assert.equal(code, 0, server?.lines().slice(-20).join("\n"));
});

async function enter(page: SdkPage, name: string, room: string, rest: object = {}): Promise<void> {
  const token = await server.token({ room, publish: true, subscribe: true });
  await page.join({ name, url: server.url, token, room, ...rest });
}

/** Resolves with the tile that is shown and moves. */
async function movingTile(page: SdkPage, viewer: string, find: (tile: Tile) => boolean, what: string): Promise<Tile> {
  const played = new Set<number>();
  let last: readonly Tile[] = [];
  let found: Tile | undefined;
  await until(
    async () => {
      last = await page.tiles(viewer);
      found = last.find((tile) => tile.isShown && tile.picture !== null && find(tile));
      if (found?.picture !== null && found?.picture !== undefined) played.add(found.picture.playedMs);
      return played.size >= 3;
    },
    { what, deadlineMs: 10_000, describe: () => last },
  );
  assert.ok(found);
  return found;
}

async function stateOf(
  page: SdkPage,
  viewer: string,
  what: string,
  holds: (state: RoomState) => boolean,
): Promise<void> {
  let last: RoomState | undefined;
  await until(
    async () => {
      last = await page.state(viewer);
      return holds(last);
    },
    { what, deadlineMs: 5_000, describe: () => last },
  );
}

/** What a browser does when a source is gone for good: the track is over, and it says so. */
const endTrack = (source: string): string => `(() => {
  const { track } = room.localParticipant.getPublication(${JSON.stringify(source)});
  track.stop();
  track.dispatchEvent(new Event("ended"));
})()`;

test("[SIG-6] a shared screen comes beside the camera, and goes with the browser's own button", limit, async () => {
  const anna = await SdkPage.open(chromium);
  const ben = await SdkPage.open(chromium);
  await enter(anna, "anna", "screens", { media: await anna.makeMedia("anna") });
  await enter(ben, "ben", "screens");
  await movingTile(ben, "ben", ({ source }) => source === "camera", "anna's camera");
  // A headless browser has no screen to choose: a picture takes its place behind the same call.
  const screen = await anna.client.makeMedia(PEOPLE.dan);
  await anna.client.page.evaluate(`(() => {
    const [picture] = parleyTest.medias.get(${screen}).stream.getVideoTracks();
    navigator.mediaDevices.getDisplayMedia = async () => new MediaStream([picture]);
  })()`);
  await anna.room("anna", `void (await room.localParticipant.setScreenShareEnabled(true))`);
  const isScreen = ({ name, source }: Tile): boolean => name === "anna" && source === "screen";
  const shared = await movingTile(ben, "ben", isScreen, "anna's screen");
  assert.equal(personOfColour(shared.picture?.colour ?? []), "dan");
  const camera = await movingTile(ben, "ben", ({ source }) => source === "camera", "anna's camera beside it");
  assert.equal(personOfColour(camera.picture?.colour ?? []), "anna");
  await anna.room("anna", endTrack("screen"));
  await stateOf(ben, "ben", "the screen is gone", ({ publications }) =>
    publications.every(({ source }) => source !== "screen"),
  );
  assert.ok((await anna.state("anna")).events.some((event) => event.startsWith("localTrackEnded")));
  await movingTile(ben, "ben", ({ source }) => source === "camera", "anna's camera afterwards");
});

test(
  "[SIG-6] a camera is unplugged: an event here, muted there; switched on again, it is seen again",
  limit,
  async () => {
    const anna = await SdkPage.open(chromium);
    const ben = await SdkPage.open(chromium);
    await enter(anna, "anna", "unplugged");
    await enter(ben, "ben", "unplugged");
    await anna.room(
      "anna",
      `void (await room.localParticipant.setCameraEnabled(true, { width: 320, height: 180, frameRate: 10 }))`,
    );
    const isCamera = ({ name, source }: Tile): boolean => name === "anna" && source === "camera";
    await movingTile(ben, "ben", isCamera, "anna's camera");
    await anna.room("anna", endTrack("camera"));
    await stateOf(ben, "ben", "ben is told that the camera is off", ({ publications }) =>
      publications.some(({ source, muted }) => source === "camera" && muted),
    );
    const { events, local } = await anna.state("anna");
    assert.ok(events.some((event) => event.startsWith("localTrackEnded")));
    assert.deepEqual(
      local.map(({ source, muted }) => ({ source, muted })),
      [{ source: "camera", muted: true }],
    );
    await anna.room("anna", `void (await room.localParticipant.setCameraEnabled(true))`);
    await stateOf(ben, "ben", "ben is told that the camera is on", ({ publications }) =>
      publications.some(({ source, muted }) => source === "camera" && !muted),
    );
    await movingTile(ben, "ben", isCamera, "anna's camera again");
  },
);

test("[SIG-6] two tabs of one user are two participants, each with its own picture", limit, async () => {
  const room = "tabs";
  const ben = await SdkPage.open(chromium);
  await enter(ben, "ben", room);
  const token = await server.token({ room, publish: true, subscribe: true });
  const tabs = [await SdkPage.open(chromium), await SdkPage.open(chromium)] as const;
  const looks = ["anna", "carla"] as const;
  for (const [index, tab] of tabs.entries()) {
    const person = looks[index] ?? "anna";
    await tab.join({ name: `tab-${index}`, url: server.url, token, room, media: await tab.makeMedia(person) });
  }
  const users = await ben.room<string[]>("ben", `[...room.remoteParticipants.values()].map(({ userId }) => userId)`);
  assert.equal(users.length, 2);
  assert.equal(new Set(users).size, 1, "both tabs have one token");
  for (const [index, look] of looks.entries()) {
    const tile = await movingTile(ben, "ben", ({ name }) => name === `tab-${index}`, `tab ${index}`);
    assert.equal(personOfColour(tile.picture?.colour ?? []), look);
  }
  await tabs[0].leave("tab-0");
  await stateOf(ben, "ben", "one tab has left", ({ names }) => names.join() === "tab-1");
  await movingTile(ben, "ben", ({ name }) => name === "tab-1", "the other tab goes on");
});

test("[SIG-6] a page is reloaded: who was there is gone at once, and comes back", limit, async () => {
  const room = "reloading";
  const ben = await SdkPage.open(chromium);
  await enter(ben, "ben", room);
  const anna = await SdkPage.open(chromium);
  await enter(anna, "anna", room, { media: await anna.makeMedia("anna") });
  await movingTile(ben, "ben", ({ name }) => name === "anna", "anna");
  await anna.client.page.evaluate(`void setTimeout(() => location.reload())`);
  await stateOf(ben, "ben", "who anna was is gone", ({ names }) => names.length === 0);
  await anna.client.page.close();
  const again = await SdkPage.open(chromium);
  await enter(again, "anna again", room, { media: await again.makeMedia("carla") });
  const tile = await movingTile(ben, "ben", ({ name }) => name === "anna again", "anna after the reload");
  assert.equal(personOfColour(tile.picture?.colour ?? []), "carla");
});
