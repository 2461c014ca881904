import assert from "node:assert/strict";
import { test } from "node:test";
import { mutateBytes, mutateText } from "./mutation.ts";
import { SeededRandom } from "./seeded-random.ts";

test("the same seed gives the same sequence, another seed another", () => {
  const sequence = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 8 }, () => random.uint32());
  };
  assert.deepEqual(sequence(1), sequence(1));
  assert.notDeepEqual(sequence(1), sequence(2));
  assert.notDeepEqual(sequence(0), sequence(1));
});

test("numbers are spread evenly", () => {
  const random = new SeededRandom(7);
  const counts = new Array<number>(10).fill(0);
  for (let count = 0; count < 100_000; count += 1) {
    const bucket = random.below(10);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  for (const count of counts) assert(count > 9_500 && count < 10_500, `${count}`);
  const bits = new SeededRandom(8).bytes(10_000).reduce((sum, byte) => sum + (byte >> 7) + (byte & 1), 0);
  assert(bits > 9_600 && bits < 10_400, `${bits}`);
});

test("shuffling keeps all items and leaves the original", () => {
  const items = Array.from({ length: 50 }, (_, index) => index);
  const shuffled = new SeededRandom(9).shuffle(items);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(
    shuffled.toSorted((a, b) => a - b),
    items,
  );
});

test("mutants differ from their input mostly, and never change it", () => {
  const random = new SeededRandom(10);
  const input = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  let changed = 0;
  for (let round = 0; round < 200; round += 1) {
    const mutant = mutateBytes(input, random);
    if (mutant.length !== input.length || mutant.some((byte, index) => byte !== input[index])) changed += 1;
    if (mutateText("v=0\r\ns=-\r\n", random, ["m="]) !== "v=0\r\ns=-\r\n") changed += 1;
  }
  assert.deepEqual(input, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
  assert(changed > 300, `${changed}`);
});
