import type { Timer } from "@parley/foundation";

interface Job {
  readonly periodMs: number;
  readonly callback: () => void;
  dueMs: number;
}

/** Node's timers count whole milliseconds of a clock with another origin, so they may come so much early. */
const earlyMs = 1;

/**
 * All periodic work of a process, each at the multiples of its period: what is due at the same time shares one wake-up of the process. Ten jobs
 * with timers of their own wake it fifty times a second, each for more than the work itself costs; here those with periods of 100, 250, 500 and
 * 1,000 ms make twelve.
 */
export class Beat {
  readonly #monoMs: () => number;
  readonly #jobs = new Set<Job>();
  #timer: NodeJS.Timeout | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(monoMs: () => number) {
    this.#monoMs = monoMs;
  }

  /** The first time comes within one period. After a stall what was missed is not made up for. */
  every(periodMs: number, callback: () => void): Timer {
    const job: Job = { periodMs, callback, dueMs: nextMultiple(this.#monoMs(), periodMs) };
    this.#jobs.add(job);
    this.#arm();
    return { cancel: () => void this.#jobs.delete(job) };
  }

  #arm(): void {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const job of this.#jobs) dueMs = Math.min(dueMs, job.dueMs);
    if (dueMs >= this.#armedForMs) return;
    clearTimeout(this.#timer);
    this.#armedForMs = dueMs;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, Math.ceil(dueMs - this.#monoMs())));
    this.#timer.unref();
  }

  #run(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#monoMs();
    try {
      for (const job of this.#jobs) {
        if (job.dueMs > nowMs + earlyMs) continue;
        job.dueMs = nextMultiple(Math.max(nowMs, job.dueMs), job.periodMs);
        job.callback();
      }
    } finally {
      // Also when one has thrown: the others are still due, and have their turn at once.
      this.#arm();
    }
  }
}

function nextMultiple(nowMs: number, periodMs: number): number {
  return (Math.floor(nowMs / periodMs) + 1) * periodMs;
}
