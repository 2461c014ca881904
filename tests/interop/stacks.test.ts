import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  type BrowserClient,
  type Firefox,
  PEOPLE,
  type Person,
  Phases,
  personOfColour,
  startFirefox,
  until,
  untilPictureOf,
  untilToneOf,
} from "@parley/testing";
import { ROOM, type Scene, openScene } from "../scene.ts";
import { type ForeignClient, type ForeignOptions, type Stack, startForeign } from "./foreign-client.ts";

let scene: Scene;
const running: ForeignClient[] = [];

before(async () => {
  scene = await openScene();
});
after(() => scene.close());
afterEach(async () => {
  for (const client of running.splice(0)) await client.stop();
  for (const page of [scene.publishers, scene.viewers]) {
    await page.page.evaluate("Promise.all([...parleyTest.clients.keys()].map((id) => parleyTest.stop({ id })))");
    await page.page.evaluate("[...parleyTest.medias.keys()].forEach((id) => parleyTest.closeMedia(id))");
  }
});

/** From an offer to a decoded picture at a client that came while the stream was running. */
const LATE_DEADLINE_MS = 2500;

async function foreignPublisher(
  stack: Stack,
  stream: string,
  person: Person,
  options: Partial<ForeignOptions> = {},
): Promise<ForeignClient> {
  const token = await scene.server.token({ room: ROOM, publish: true });
  const client = await startForeign(stack, "publish", {
    endpoint: scene.server.whipUrl(ROOM, stream),
    token,
    person,
    ...options,
  });
  running.push(client);
  return client;
}

async function foreignViewer(
  stack: Stack,
  stream: string,
  options: Partial<ForeignOptions> = {},
): Promise<ForeignClient> {
  const token = await scene.server.token({ room: ROOM, subscribe: true });
  const client = await startForeign(stack, "watch", {
    endpoint: scene.server.whepUrl(ROOM, stream),
    token,
    ...options,
  });
  running.push(client);
  return client;
}

async function expectAtForeign(client: ForeignClient, person: Person, deadlineMs = 10_000): Promise<void> {
  const phases = new Phases();
  await untilPictureOf(person, client.look, { deadlineMs, phases });
  await untilToneOf(person, client.listen, { deadlineMs: 5000, phases });
}

for (const stack of ["gstreamer", "wrtc", "node-datachannel"] satisfies Stack[]) {
  test(`${stack} publishes, Chromium watches, one from the start and one late`, async () => {
    const early = await scene.watch(`from-${stack}`);
    const publisher = await foreignPublisher(stack, `from-${stack}`, "carla");
    await scene.expectPerson(early, "carla", { deadlineMs: 10_000 });
    const late = await scene.watch(`from-${stack}`);
    const firstFrameMs = await scene.expectPerson(late, "carla");
    assert.ok(firstFrameMs < LATE_DEADLINE_MS, `first frame after ${Math.round(firstFrameMs)} ms`);
    assert.equal(await publisher.stop(), 0);
    assert.match(publisher.child.lines.join("\n"), /"left", ?"status": ?200|"left","status":200/);
  });

  test(`${stack} watches, Chromium publishes`, async () => {
    await scene.publish("ben", `to-${stack}`, { codec: "VP8" });
    const viewer = await foreignViewer(stack, `to-${stack}`);
    await expectAtForeign(viewer, "ben");
    assert.equal(await viewer.stop(), 0);
  });
}

for (const codec of ["VP9", "H264"]) {
  test(`[MED-4] ${codec} from GStreamer to Chromium and back, with a viewer that comes late`, async () => {
    await foreignPublisher("gstreamer", `gst-${codec}`, "dan", { codec });
    const early = await scene.watch(`gst-${codec}`, { codec });
    await scene.expectPerson(early, "dan");
    const late = await scene.watch(`gst-${codec}`, { codec });
    const firstFrameMs = await scene.expectPerson(late, "dan");
    assert.ok(firstFrameMs < LATE_DEADLINE_MS, `first frame after ${Math.round(firstFrameMs)} ms`);
    await scene.publish("eva", `chromium-${codec}`, { codec });
    const viewer = await foreignViewer("gstreamer", `chromium-${codec}`, { codec });
    await expectAtForeign(viewer, "eva");
  });
}

test("[MED-4] H265 from GStreamer to GStreamer, with a viewer that comes late", async () => {
  await foreignPublisher("gstreamer", "hevc", "finn", { codec: "H265" });
  const early = await foreignViewer("gstreamer", "hevc", { codec: "H265" });
  await expectAtForeign(early, "finn");
  const late = await foreignViewer("gstreamer", "hevc", { codec: "H265" });
  const startedAtMs = performance.now();
  await until(async () => personOfColour((await late.look())?.colour ?? []) === "finn", {
    what: "the late viewer's first picture",
    deadlineMs: LATE_DEADLINE_MS,
  });
  assert.ok(performance.now() - startedAtMs < LATE_DEADLINE_MS);
  await expectAtForeign(late, "finn");
});

test("Firefox publishes and watches, Chromium on the other side", async () => {
  const firefox: Firefox = await startFirefox({ toneHz: PEOPLE.anna.toneHz });
  try {
    const client: BrowserClient = await firefox.openClient();
    const token = await scene.server.token({ room: ROOM, publish: true, subscribe: true });
    const early = await scene.watch("from-firefox");
    const media = await client.makeMedia(PEOPLE.anna);
    const published = await client.publish({ endpoint: scene.server.whipUrl(ROOM, "from-firefox"), token, media });
    await scene.expectPerson(early, "anna", { deadlineMs: 15_000 });
    const late = await scene.watch("from-firefox");
    const firstFrameMs = await scene.expectPerson(late, "anna");
    assert.ok(firstFrameMs < LATE_DEADLINE_MS, `first frame after ${Math.round(firstFrameMs)} ms`);
    assert.equal(await client.stop(published), 200);

    await scene.publish("ben", "to-firefox");
    const watching = await client.watch({ endpoint: scene.server.whepUrl(ROOM, "to-firefox"), token });
    await untilPictureOf("ben", () => client.picture(watching), { deadlineMs: 15_000 });
    await untilToneOf("ben", () => client.tone(watching), { deadlineMs: 6000 });
  } finally {
    await firefox.close();
  }
});
