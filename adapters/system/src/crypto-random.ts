import { randomFillSync } from "node:crypto";
import type { Random } from "@parley/foundation";

/** Filled at once and handed out in pieces: a call into OpenSSL costs more than the bytes. */
const poolBytes = 4_096;

/** Cryptographic randomness. No byte is handed out twice. */
export class CryptoRandom implements Random {
  readonly #pool = new Uint8Array(poolBytes);
  readonly #view = new DataView(this.#pool.buffer);
  #used = poolBytes;

  bytes(length: number): Uint8Array {
    if (length > poolBytes) return randomFillSync(new Uint8Array(length));
    const from = this.#take(length);
    const bytes = this.#pool.slice(from, from + length);
    // What left the pool must not be found in it.
    this.#pool.fill(0, from, from + length);
    return bytes;
  }

  uint32(): number {
    const from = this.#take(4);
    const value = this.#view.getUint32(from);
    this.#pool.fill(0, from, from + 4);
    return value;
  }

  #take(length: number): number {
    if (this.#used + length > poolBytes) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += length;
    return from;
  }
}
