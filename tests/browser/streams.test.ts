import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { personOfColour, until } from "@parley/testing";
import { ROOM, type Scene, openScene } from "../scene.ts";

let scene: Scene;

before(async () => {
  scene = await openScene();
});
after(() => scene.close());
afterEach(async () => {
  // What a failed test left behind must not tax the next one.
  for (const page of [scene.publishers, scene.viewers]) {
    await page.page.evaluate("Promise.all([...parleyTest.clients.keys()].map((id) => parleyTest.stop({ id })))");
    await page.page.evaluate("[...parleyTest.medias.keys()].forEach((id) => parleyTest.closeMedia(id))");
  }
});

test("[MED-10] a publisher and three viewers: everyone sees the right moving picture and hears the right tone", async () => {
  await scene.publish("anna", "main");
  const viewers = [];
  for (let count = 0; count < 3; count += 1) viewers.push(await scene.watch("main"));
  for (const viewer of viewers) await scene.expectPerson(viewer, "anna");
});

test("two streams of a room are not mixed up", async () => {
  await scene.publish("ben", "left");
  await scene.publish("carla", "right");
  const [left, right] = [await scene.watch("left"), await scene.watch("right")];
  await scene.expectPerson(left, "ben");
  await scene.expectPerson(right, "carla");
});

test("a viewer that comes before the publisher starts when the publisher comes", async () => {
  const viewer = await scene.watch("later");
  await until(async () => (await scene.viewers.state(viewer)).connection === "connected", {
    what: "the early viewer is connected",
    deadlineMs: 5000,
  });
  assert.equal(await scene.viewers.picture(viewer), undefined);
  await scene.publish("dan", "later");
  await scene.expectPerson(viewer, "dan");
});

test("a publisher leaves and returns: the same viewer sees it again", async () => {
  const first = await scene.publish("anna", "returning");
  const viewer = await scene.watch("returning");
  await scene.expectPerson(viewer, "anna");
  assert.equal(await scene.publishers.stop(first.id), 200);
  await until(
    async () => {
      const before = await scene.viewers.picture(viewer);
      await new Promise((resolve) => setTimeout(resolve, 400));
      const now = await scene.viewers.picture(viewer);
      return before?.barX === now?.barX;
    },
    { what: "the picture stands still after the publisher left", deadlineMs: 3000 },
  );
  await scene.publish("ben", "returning");
  await scene.expectPerson(viewer, "ben");
});

test("a publisher that vanished without a word takes its name back", async () => {
  const first = await scene.publish("anna", "mine");
  const viewer = await scene.watch("mine");
  await scene.expectPerson(viewer, "anna");
  await scene.publishers.vanish(first.id);
  await scene.publish("carla", "mine");
  await scene.expectPerson(viewer, "carla");
});

test("[MED-7] a viewer that comes late gets a key frame: picture within 1.5 s of its offer", async () => {
  await scene.publish("eva", "running");
  const early = await scene.watch("running");
  await scene.expectPerson(early, "eva");
  for (let round = 0; round < 3; round += 1) {
    const late = await scene.watch("running");
    const firstFrameMs = await scene.expectPerson(late, "eva");
    assert.ok(firstFrameMs < 1500, `round ${round}: first frame after ${Math.round(firstFrameMs)} ms`);
    await scene.viewers.stop(late);
  }
  // The key frames were for everybody: the early one is unharmed.
  const still = await scene.viewers.picture(early);
  assert.equal(personOfColour(still?.colour ?? []), "eva");
});

test("[SIG-5] without a token, with a forged one, and with one for another room an offer is refused", async () => {
  const endpoint = scene.server.whepUrl(ROOM, "main");
  const elsewhere = await scene.server.token({ room: "elsewhere", subscribe: true, publish: true });
  assert.equal((await scene.viewers.tryWatch({ endpoint })).status, 401);
  assert.equal((await scene.viewers.tryWatch({ endpoint, token: "a.b.c" })).status, 401);
  assert.equal((await scene.viewers.tryWatch({ endpoint, token: elsewhere })).status, 403);
  const watchOnly = await scene.server.token({ room: ROOM, subscribe: true });
  const media = await scene.publishers.makeMedia({ colour: [1, 2, 3], toneHz: 500 });
  const refused = await scene.publishers.tryPublish({
    endpoint: scene.server.whipUrl(ROOM, "main"),
    token: watchOnly,
    media,
  });
  assert.equal(refused.status, 403);
  assert.ok(refused.id === undefined);
  // Errors are numbered (style rule 8): a client reads the number, not the text.
  assert.match(refused.body, /\d{4}/);
});
