import type { SeededRandom } from "@parley/testing";

export interface LossyOptions {
  /** Probabilities per message. */
  readonly lost: number;
  readonly repeated: number;
  readonly late: number;
  /** Keeps the order within a channel, as the bus does per publisher and subject. */
  readonly ordered: boolean;
}

interface Flying {
  readonly dueMs: number;
  readonly order: number;
  readonly deliver: () => void;
}

/** Messages between parts of a test, on its own clock: some are lost, late, repeated. */
export class LossyNetwork {
  nowMs = 1_800_000_000_000;
  /** From now on nothing is lost, late or repeated. */
  calm = false;
  readonly #random: SeededRandom;
  #flying: Flying[] = [];
  readonly #lastDueMs = new Map<string, number>();
  #order = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  send(channel: string, options: LossyOptions, deliver: () => void): void {
    if (this.calm) {
      this.#fly(channel, 1, options.ordered, deliver);
      return;
    }
    if (this.#random.chance(options.lost)) return;
    const copies = this.#random.chance(options.repeated) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.#random.chance(options.late) ? 50 + this.#random.below(1_500) : 1 + this.#random.below(20);
      this.#fly(channel, delayMs, options.ordered, deliver);
    }
  }

  /** Lets time pass up to `untilMs`, delivering what is due, in order. */
  runUntil(untilMs: number): void {
    for (;;) {
      let next: Flying | undefined;
      for (const one of this.#flying) {
        if (one.dueMs > untilMs) continue;
        if (next === undefined || one.dueMs < next.dueMs || (one.dueMs === next.dueMs && one.order < next.order))
          next = one;
      }
      if (next === undefined) break;
      this.#flying = this.#flying.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.deliver();
    }
    this.nowMs = untilMs;
  }

  #fly(channel: string, delayMs: number, ordered: boolean, deliver: () => void): void {
    const earliestMs = ordered ? (this.#lastDueMs.get(channel) ?? 0) : 0;
    const dueMs = Math.max(this.nowMs + delayMs, earliestMs);
    this.#lastDueMs.set(channel, dueMs);
    this.#flying.push({ dueMs, order: this.#order++, deliver });
  }
}
