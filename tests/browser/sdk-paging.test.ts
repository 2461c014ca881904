import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startChromium, startParley, until, type Chromium, type ParleyProcess } from "@parley/testing";
import { SdkPage, type Tile } from "../sdk-stage.ts";

/** Twelve who send, one who looks at them page by page: each picture is under its own name in every frame that is drawn. */

const limit = { timeout: 90_000 };
/** Far enough apart for what encoders do to colours. */
const publishers = [
  [200, 30, 30],
  [30, 140, 30],
  [30, 30, 200],
  [200, 140, 30],
  [200, 30, 200],
  [30, 140, 200],
  [100, 30, 110],
  [100, 220, 30],
  [210, 140, 140],
  [100, 90, 30],
  [120, 140, 240],
  [30, 230, 130],
].map((colour, index) => ({ name: `sender-${index}`, colour, toneHz: 500 + 150 * index }));
const pageSize = 4;

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

/** Whose picture this is: the nearest of the twelve colours. */
function senderOf(colour: readonly number[]): string | undefined {
  const distances = publishers.map((one) => ({
    name: one.name,
    distance: Math.hypot(...one.colour.map((channel, index) => channel - (colour[index] ?? 0))),
  }));
  const nearest = distances.toSorted((a, b) => a.distance - b.distance)[0];
  return nearest !== undefined && nearest.distance < 45 ? nearest.name : undefined;
}

test(
  "[SIG-6] paging through 12 publishers: right names at every moment, and only the page is received",
  limit,
  async (context) => {
    const room = "paging-12";
    const stage = await SdkPage.open(chromium);
    const audience = await SdkPage.open(chromium);
    const token = await server.token({ room, publish: true, subscribe: true });
    await audience.join({ name: "viewer", url: server.url, token, room, options: { initialPairs: pageSize } });
    for (const { name, colour, toneHz } of publishers) {
      const media = await stage.client.makeMedia({ colour, toneHz, fps: 5 });
      await stage.join({ name, url: server.url, token, room, media, options: { receive: false } });
    }
    const names = publishers.map(({ name }) => name);
    let looks = 0;
    const look = async (): Promise<readonly Tile[]> => {
      const tiles = await audience.tiles("viewer");
      for (const { name, isShown, picture } of tiles) {
        const sender = isShown && picture !== null ? senderOf(picture.colour) : undefined;
        if (sender === undefined) continue;
        looks += 1;
        assert.equal(sender, name, `${sender} is shown as ${name}`);
      }
      return tiles;
    };
    await until(async () => (await look()).length === names.length, { what: "twelve tiles", deadlineMs: 5_000 });
    await audience.watchFaces("viewer", Object.fromEntries(publishers.map(({ name, colour }) => [name, colour])));
    // There, back, across two pages, and one page twice.
    for (const first of [0, 4, 8, 2, 6, 0, 8]) {
      const wanted = names.slice(first, first + pageSize);
      await audience.show("viewer", wanted);
      let last: readonly Tile[] = [];
      await until(
        async () => {
          last = await look();
          const right = last.filter(
            ({ name, isShown, picture }) => isShown && picture !== null && senderOf(picture.colour) === name,
          );
          const subscribed = last.filter(({ isSubscribed }) => isSubscribed).map(({ name }) => name);
          return (
            wanted.every((name) => right.some((tile) => tile.name === name)) &&
            subscribed.toSorted().join() === wanted.toSorted().join()
          );
        },
        { what: `only ${wanted.join(", ")}`, deadlineMs: 10_000, describe: () => last },
      );
    }
    assert.ok(looks >= 7 * pageSize, `${looks} pictures looked at`);
    const { wrong, seen } = await audience.faces("viewer");
    assert.deepEqual(wrong, []);
    for (const name of names) assert.ok((seen[name]?.frames ?? 0) > 0, `${name} was drawn`);
    context.diagnostic(`${Object.values(seen).reduce((sum, { frames }) => sum + frames, 0)} frames looked at`);
  },
);
