import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@parley/adapter-system";
import { startChromium, until, type Chromium } from "@parley/testing";
import { FakeMediaNode } from "../integration/fake-media-node.ts";
import { LocalServer } from "../local-server.ts";
import { SdkPage } from "../sdk-stage.ts";

/** What real PeerConnections and signaling agree on, without a media plane: offers, re-offers, slots, sections that come and go. */

const limit = { timeout: 30_000 };
let server: LocalServer;
let node: FakeMediaNode;
let chromium: Chromium;
let page: SdkPage;

before(async () => {
  server = await LocalServer.start();
  node = new FakeMediaNode(server.bus, systemClock);
  node.start();
  chromium = await startChromium();
  page = await SdkPage.open(chromium);
});
after(async () => {
  await chromium?.close();
  node?.stop();
  await server?.down();
});

const token = (sub: string, room: string): string => server.token({ sub, room });

/** Stream ids that the slots of this room's sessions are bound to. */
function boundStreams(room: string): number[] {
  return node.sessions(room).flatMap(({ slots }) => slots.flatMap(({ binding }) => binding?.streamId ?? []));
}

test("[SIG-6] slots grow by one re-offer when more is to be seen than there are pairs", limit, async () => {
  const room = "growing";
  for (const person of ["anna", "ben", "carla"] as const) {
    const media = await page.makeMedia(person);
    await page.join({
      name: person,
      url: server.url,
      token: token(person, room),
      room,
      media,
      options: { receive: false },
      show: false,
    });
  }
  const options = { initialPairs: 1 };
  await page.join({ name: "viewer", url: server.url, token: token("viewer", room), room, options });
  const allBound = (): boolean => boundStreams(room).length === 6 && new Set(boundStreams(room)).size === 3;
  await until(allBound, { what: "picture and sound of each are bound", deadlineMs: 8_000 });
  const [viewer] = node.sessions(room).filter(({ slots }) => slots.length > 0);
  // Doubled as often as needed: 1, then at least 3 at once.
  assert.ok([6, 8].includes(viewer?.slots.length ?? 0), `${viewer?.slots.length} slots`);
  await page.show("viewer", ["ben"]);
  await until(() => boundStreams(room).length === 4, {
    what: "two pictures are no longer received",
    deadlineMs: 5_000,
  });
  await page.show("viewer", ["anna", "ben", "carla"]);
  await until(() => boundStreams(room).length === 6, { what: "all pictures are received again", deadlineMs: 5_000 });
  for (const person of ["anna", "ben", "carla", "viewer"]) await page.leave(person);
});

test("publish, unpublish, publish again: sections come and go, the last one ends the session", limit, async () => {
  const room = "coming-and-going";
  await page.join({ name: "anna", url: server.url, token: token("anna", room), room });
  const publications = `[...room.localParticipant.publications.values()].map((one) => one.source)`;
  const published = (): string[] => node.sessions(room).flatMap(({ receives }) => receives.map(({ mid }) => mid));
  await page.room("anna", `room.localParticipant.setCameraEnabled(true)`);
  await page.room("anna", `room.localParticipant.setMicrophoneEnabled(true)`);
  assert.deepEqual(await page.room("anna", publications), ["camera", "microphone"]);
  assert.equal(published().length, 2);
  for (let round = 0; round < 3; round += 1) {
    await page.room("anna", `room.localParticipant.unpublishTrack(room.localParticipant.getPublication("camera"))`);
    assert.deepEqual(await page.room("anna", publications), ["microphone"]);
    await until(() => published().length === 1, { what: "the camera's section is gone", deadlineMs: 3_000 });
    await page.room("anna", `room.localParticipant.setCameraEnabled(true)`);
    assert.deepEqual(await page.room("anna", publications), ["microphone", "camera"]);
    await until(() => published().length === 2, { what: "the camera's section is back", deadlineMs: 3_000 });
  }
  for (const source of ["camera", "microphone"]) {
    await page.room("anna", `room.localParticipant.unpublishTrack(room.localParticipant.getPublication("${source}"))`);
  }
  await until(() => published().length === 0, { what: "the session is closed", deadlineMs: 3_000 });
  await page.room("anna", `room.localParticipant.setMicrophoneEnabled(true)`);
  await until(() => published().length === 1, { what: "a new session", deadlineMs: 3_000 });
  await page.leave("anna");
});

test("an offer of as many pairs as may be fits into a frame and is answered", limit, async () => {
  const room = "many";
  const options = { initialPairs: 30 };
  await page.join({ name: "viewer", url: server.url, token: token("viewer", room), room, options });
  assert.equal(node.sessions(room)[0]?.slots.length, 60);
  await page.leave("viewer");
});

test("[SIG-5] without the grant to publish, or to subscribe, the rest still works", limit, async () => {
  const room = "grants";
  const mute = server.token({ sub: "mute", room, publish: false });
  await page.join({ name: "mute", url: server.url, token: mute, room });
  const code = (expression: string): string => `(${expression}).then(() => "ok", (error) => error.code)`;
  assert.equal(await page.room("mute", code(`room.localParticipant.setMicrophoneEnabled(true)`)), "permission-denied");
  assert.deepEqual(await page.room("mute", `[...room.localParticipant.publications.keys()]`), []);
  const deaf = server.token({ sub: "deaf", room, subscribe: false });
  await page.join({ name: "deaf", url: server.url, token: deaf, room });
  assert.equal(await page.room("deaf", code(`room.localParticipant.setMicrophoneEnabled(true)`)), "ok");
  await page.leave("mute");
  await page.leave("deaf");
});
