import type { Random } from "@parley/foundation";

/** Reproducible randomness for tests (xoshiro128**, Blackman and Vigna 2018, seeded by splitmix32). Never for secrets. */
export class SeededRandom implements Random {
  readonly seed: number;
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = new Uint32Array(4);
    let mixed = this.seed;
    for (let index = 0; index < 4; index += 1) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let word = mixed ^ (mixed >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word ^= word >>> 15;
      word = Math.imul(word, 0x735a2d97);
      this.#state[index] = word ^ (word >>> 15);
    }
  }

  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    const nextC = c ^ a;
    const nextD = d ^ b;
    this.#state[1] = b ^ nextC;
    this.#state[0] = a ^ nextD;
    this.#state[2] = nextC ^ shifted;
    this.#state[3] = rotateLeft(nextD, 11);
    return result;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) bytes[index] = this.uint32() >>> 24;
    return bytes;
  }

  /** A uniform integer from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * bound);
  }

  /** A uniform number from 0 up to but not including 1. */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let index = result.length - 1; index > 0; index -= 1) {
      const other = this.below(index + 1);
      [result[index], result[other]] = [result[other] as T, result[index] as T];
    }
    return result;
  }
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}
