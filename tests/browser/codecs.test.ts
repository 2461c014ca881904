import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Scene, openScene } from "../scene.ts";

let scene: Scene;

before(async () => {
  scene = await openScene();
});
after(() => scene.close());

/** The codec of a client's inbound video, as its statistics name it. */
async function inboundCodec(id: number): Promise<string | undefined> {
  const stats = await scene.viewers.stats(id);
  const video = stats.find((entry) => entry["type"] === "inbound-rtp" && entry["kind"] === "video");
  const codec = stats.find((entry) => entry["id"] === video?.["codecId"]);
  return typeof codec?.["mimeType"] === "string" ? codec["mimeType"].split("/")[1] : undefined;
}

for (const codec of ["VP8", "VP9", "H264", "AV1"]) {
  test(`[MED-4] ${codec}: one viewer from the start, one that comes late`, async () => {
    const publisher = await scene.publish("anna", codec, { codec });
    const early = await scene.watch(codec);
    await scene.expectPerson(early, "anna");
    const late = await scene.watch(codec);
    const firstFrameMs = await scene.expectPerson(late, "anna");
    assert.equal(await inboundCodec(late), codec);
    assert.ok(firstFrameMs < 2000, `the late viewer's first frame came after ${Math.round(firstFrameMs)} ms`);
    for (const viewer of [early, late]) await scene.viewers.stop(viewer);
    await scene.publishers.stop(publisher.id);
    await scene.publishers.closeMedia(publisher.media);
  });
}

test("a publisher and a viewer that reach the server over TCP only", async () => {
  const publisher = await scene.publish("ben", "tcp", { transport: "tcp" });
  const viewer = await scene.watch("tcp", { transport: "tcp" });
  await scene.expectPerson(viewer, "ben");
  for (const [page, id] of [
    [scene.viewers, viewer],
    [scene.publishers, publisher.id],
  ] as const) {
    const stats = await page.stats(id);
    const transport = stats.find((entry) => entry["type"] === "transport");
    const pair = stats.find((entry) => entry["id"] === transport?.["selectedCandidatePairId"]);
    const remote = stats.find((entry) => entry["id"] === pair?.["remoteCandidateId"]);
    assert.equal(remote?.["protocol"], "tcp");
  }
});
