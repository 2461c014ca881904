import assert from "node:assert/strict";
import { test } from "node:test";
import {
  gridCapacity,
  gridLayout,
  maxTilesPerPage,
  pageOf,
  type Rect,
  speakerLayout,
} from "../src/layout/tile-layout.ts";

const stages = [
  { width: 1252, height: 648 },
  { width: 900, height: 648 },
  { width: 374, height: 714 },
  { width: 700, height: 280 },
  { width: 2400, height: 1300 },
];

function check(rects: readonly Rect[], area: { readonly width: number; readonly height: number }): void {
  for (const [index, one] of rects.entries()) {
    assert.ok(
      one.x >= -1 && one.y >= -1 && one.x + one.width <= area.width + 1 && one.y + one.height <= area.height + 1,
    );
    for (const other of rects.slice(index + 1)) {
      const apart =
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x ||
        one.y + one.height <= other.y ||
        other.y + other.height <= one.y;
      assert.ok(apart, `${JSON.stringify(one)} and ${JSON.stringify(other)}`);
    }
  }
}

test("1 to 25 tiles lie inside the stage and apart, in both views, on stages of all shapes", () => {
  for (const area of stages) {
    for (let count = 1; count <= maxTilesPerPage; count += 1) {
      for (const layout of [gridLayout, speakerLayout]) check(layout(area, count).rects, area);
    }
  }
});

test("a desktop has room for 25, a phone for some, and never for none", () => {
  assert.equal(gridCapacity({ width: 1252, height: 648 }), 25);
  const phone = gridCapacity({ width: 374, height: 668 });
  assert.ok(phone >= 8 && phone <= 14, String(phone));
  assert.equal(gridCapacity({ width: 100, height: 60 }), 1);
});

test("tiles of a grid are alike; one tile fills most of a wide stage", () => {
  const { rects } = gridLayout({ width: 1252, height: 648 }, 7);
  assert.equal(new Set(rects.map(({ width, height }) => `${width} ${height}`)).size, 1);
  const [alone] = gridLayout({ width: 1252, height: 648 }, 1).rects;
  assert.ok(alone !== undefined && alone.width * alone.height > 0.85 * 1252 * 648);
});

test("the speaker view's strip holds what its capacity says", () => {
  for (const area of stages) {
    const { rects, capacity } = speakerLayout(area, 25);
    assert.equal(rects.length, capacity + 1);
    const [main, ...strip] = rects;
    for (const one of strip) assert.ok(main !== undefined && one.width * one.height < main.width * main.height);
  }
});

test("pages: the last one when a page has gone", () => {
  const items = [1, 2, 3, 4, 5];
  assert.deepEqual(pageOf(items, 1, 2), { items: [3, 4], page: 1, pages: 3 });
  assert.deepEqual(pageOf(items, 9, 2), { items: [5], page: 2, pages: 3 });
  assert.deepEqual(pageOf([], 3, 2), { items: [], page: 0, pages: 1 });
});
