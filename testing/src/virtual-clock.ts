import type { Clock, Timer } from "@parley/foundation";

interface Pending {
  dueMs: number;
  /** Timers that are due at the same time run in the order they were made. */
  order: number;
  readonly callback: () => void;
  readonly periodMs: number | undefined;
}

/** A clock that stands still until a test moves it. Callbacks run inside {@link VirtualClock.advance}, in order of their time. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #startedAtUnixMs: number;
  readonly #pending = new Set<Pending>();

  constructor(options: { readonly startedAtUnixMs?: number } = {}) {
    this.#startedAtUnixMs = options.startedAtUnixMs ?? 1_800_000_000_000;
  }

  monoMs(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return this.#startedAtUnixMs + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#schedule(Math.max(0, delayMs), callback, undefined);
  }

  every(periodMs: number, callback: () => void): Timer {
    if (!(periodMs > 0)) throw new RangeError(`period ${periodMs} ms`);
    return this.#schedule(periodMs, callback, periodMs);
  }

  /** How many timers wait. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** When the next timer is due; undefined when none waits. */
  get nextDueMs(): number | undefined {
    return this.#next()?.dueMs;
  }

  /** Moves on by `durationMs`, running what comes due on the way, each at its own time. */
  advance(durationMs: number): void {
    this.advanceTo(this.#nowMs + durationMs);
  }

  /** As {@link advance}, to a point in time. */
  advanceTo(targetMs: number): void {
    if (targetMs < this.#nowMs) throw new RangeError("time does not run backwards");
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.dueMs > targetMs) break;
      this.#run(next);
    }
    this.#nowMs = targetMs;
  }

  /**
   * As {@link advance}, but lets promises settle before and after each timer, for code that awaits between timers.
   * A promise that takes more than a few turns, or that waits for real IO, is not waited for.
   */
  async advanceAsync(durationMs: number): Promise<void> {
    const targetMs = this.#nowMs + durationMs;
    await settle();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.dueMs > targetMs) break;
      this.#run(next);
      await settle();
    }
    this.#nowMs = targetMs;
    await settle();
  }

  #schedule(delayMs: number, callback: () => void, periodMs: number | undefined): Timer {
    const pending: Pending = { dueMs: this.#nowMs + delayMs, order: this.#order++, callback, periodMs };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const candidate of this.#pending) {
      if (
        next === undefined ||
        candidate.dueMs < next.dueMs ||
        (candidate.dueMs === next.dueMs && candidate.order < next.order)
      ) {
        next = candidate;
      }
    }
    return next;
  }

  #run(pending: Pending): void {
    this.#nowMs = Math.max(this.#nowMs, pending.dueMs);
    if (pending.periodMs === undefined) {
      this.#pending.delete(pending);
    } else {
      // Before the callback, which may cancel it.
      pending.dueMs += pending.periodMs;
      pending.order = this.#order++;
    }
    pending.callback();
  }
}

/** Turns of the microtask queue that are enough for a chain of a few awaits. */
const settleTurns = 20;

async function settle(): Promise<void> {
  for (let turn = 0; turn < settleTurns; turn += 1) await Promise.resolve();
}
