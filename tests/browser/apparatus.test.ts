import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Chromium, PEOPLE, startChromium, startDirectLink, untilPictureOf, untilToneOf } from "@parley/testing";

// The apparatus is tried on two pages that talk to each other without Parley, so that a red test elsewhere speaks of Parley.

let chromium: Chromium;

before(async () => {
  chromium = await startChromium();
});
after(() => chromium.close());

test("picture and tone of a publisher are recognised by a page that it is directly connected to", async () => {
  const viewer = await chromium.openClient();
  const publisher = await chromium.openClient();
  const link = await startDirectLink(viewer);
  try {
    const media = await publisher.makeMedia(PEOPLE.anna);
    await publisher.publish({ endpoint: link.whipUrl, media });
    const [id] = link.clients;
    assert.ok(id !== undefined);
    await untilPictureOf("anna", () => viewer.picture(id), { deadlineMs: 10_000 });
    await untilToneOf("anna", () => viewer.tone(id), { deadlineMs: 5_000 });
    await assert.rejects(
      untilPictureOf("ben", () => viewer.picture(id), { deadlineMs: 500 }),
      { name: "DeadlineError" },
    );
    await assert.rejects(
      untilToneOf("ben", () => viewer.tone(id), { deadlineMs: 500 }),
      { name: "DeadlineError" },
    );
  } finally {
    await link.close();
  }
});
