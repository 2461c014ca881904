import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@parley/testing";
import { TileOrder } from "../src/meeting/tile-order.ts";

const fixed = new Set(["me"]);
const all = ["me", "a", "b", "c", "d", "e"];

test("tiles keep their places; who comes stands last, who goes leaves no hole", () => {
  const order = new TileOrder();
  assert.deepEqual(order.arrange(["me", "b", "a"], fixed, [], 9), ["me", "b", "a"]);
  assert.deepEqual(order.arrange(["me", "a", "b", "c"], fixed, ["c", "a"], 9), ["me", "b", "a", "c"]);
  assert.deepEqual(order.arrange(["me", "a", "c"], fixed, [], 9), ["me", "a", "c"]);
});

test("who speaks on a later page changes places with who was silent for longest on the first", () => {
  const order = new TileOrder();
  order.arrange(all, fixed, [], 3);
  assert.deepEqual(order.arrange(all, fixed, ["d"], 3), ["me", "a", "d", "c", "b", "e"]);
  // d spoke last, so a goes.
  assert.deepEqual(order.arrange(all, fixed, ["e"], 3), ["me", "e", "d", "c", "b", "a"]);
  // Silence moves nobody.
  assert.deepEqual(order.arrange(all, fixed, [], 3), ["me", "e", "d", "c", "b", "a"]);
});

test("when all on the first page speak, nobody is pushed out", () => {
  const order = new TileOrder();
  order.arrange(all, fixed, ["a", "b"], 3);
  assert.deepEqual(order.arrange(all, fixed, ["a", "b", "c"], 3), all);
});

test("whatever comes and goes: everybody once, the fixed first", () => {
  const random = new SeededRandom(7);
  const order = new TileOrder();
  const flip = (share: number): boolean => random.uint32() / 2 ** 32 < share;
  for (let round = 0; round < 2_000; round += 1) {
    const present = ["me", ...Array.from({ length: 30 }, (_, index) => `p${index}`).filter(() => flip(0.7))];
    const speaking = present.filter((key) => key !== "me" && flip(0.1));
    const arranged = order.arrange(present, fixed, speaking, 1 + (round % 9));
    assert.equal(arranged[0], "me");
    assert.deepEqual([...arranged].sort(), [...present].sort());
  }
});
