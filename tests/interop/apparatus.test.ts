import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type BrowserClient,
  type Chromium,
  type Firefox,
  PEOPLE,
  startChromium,
  startDirectLink,
  startFirefox,
  untilPictureOf,
  untilToneOf,
} from "@parley/testing";
import { type Stack, startForeign } from "./foreign-client.ts";

// Other stacks against Chromium without Parley in between: a red test elsewhere then speaks of Parley.

let chromium: Chromium;
let page: BrowserClient;

before(async () => {
  chromium = await startChromium({ plainCandidates: true });
  page = await chromium.openClient();
});
after(() => chromium.close());

async function assertPageSees(id: number | undefined, person: keyof typeof PEOPLE): Promise<void> {
  assert.ok(id !== undefined);
  await untilPictureOf(person, () => page.picture(id), { deadlineMs: 15_000 });
  await untilToneOf(person, () => page.tone(id), { deadlineMs: 5_000 });
}

test("Firefox publishes to and watches Chromium directly", async () => {
  const firefox: Firefox = await startFirefox({ toneHz: PEOPLE.anna.toneHz });
  const media = await page.makeMedia(PEOPLE.ben);
  const link = await startDirectLink(page, media);
  try {
    const client = await firefox.openClient();
    const own = await client.makeMedia(PEOPLE.anna);
    await client.publish({ endpoint: link.whipUrl, media: own });
    await assertPageSees(link.clients[0], "anna");
    const watching = await client.watch({ endpoint: link.whepUrl });
    await untilPictureOf("ben", () => client.picture(watching), { deadlineMs: 15_000 });
    await untilToneOf("ben", () => client.tone(watching), { deadlineMs: 5_000 });
  } finally {
    await link.close();
    await firefox.close();
  }
});

for (const stack of ["gstreamer", "wrtc", "node-datachannel"] satisfies Stack[]) {
  test(`${stack} publishes to and watches Chromium directly`, async (context) => {
    const media = await page.makeMedia(PEOPLE.ben);
    const link = await startDirectLink(page, media);
    context.after(() => link.close());
    const publisher = await startForeign(stack, "publish", { endpoint: link.whipUrl, person: "carla" });
    context.after(() => publisher.stop());
    await assertPageSees(link.clients[0], "carla");
    assert.equal(await publisher.stop(), 0);
    const viewer = await startForeign(stack, "watch", { endpoint: link.whepUrl });
    context.after(() => viewer.stop());
    await untilPictureOf("ben", viewer.look, { deadlineMs: 15_000 });
    await untilToneOf("ben", viewer.listen, { deadlineMs: 5_000 });
    assert.equal(await viewer.stop(), 0);
  });
}
