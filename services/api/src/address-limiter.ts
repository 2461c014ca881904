import { networkOf } from "@parley/foundation";

/** Addresses that are remembered at once; the oldest go first. Each costs some 100 bytes. */
const maxAddresses = 50_000;

interface Bucket {
  credit: number;
  atMs: number;
}

/** A token bucket per client address: `perSecond` on the long run, `burst` at once. */
export class AddressLimiter {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, burst = perSecond * 2) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** 0: go on; else milliseconds until one more request is allowed. */
  take(ip: string, nowMs: number): number {
    const key = networkOf(ip);
    const bucket = this.#buckets.get(key) ?? { credit: this.#burst, atMs: nowMs };
    bucket.credit = Math.min(this.#burst, bucket.credit + ((nowMs - bucket.atMs) * this.#perSecond) / 1000);
    bucket.atMs = nowMs;
    // Most recently used last, so that the first is the one to forget.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > maxAddresses) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    if (bucket.credit < 1) return Math.ceil(((1 - bucket.credit) * 1000) / this.#perSecond);
    bucket.credit -= 1;
    return 0;
  }
}
