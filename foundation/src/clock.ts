/** A pending callback of a {@link Clock}. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as an input. Domain code takes `nowMs` as an argument; services own loops and take a Clock;
 * only adapters, apps and tests touch the real one.
 */
export interface Clock {
  /** Monotonic milliseconds with a fraction, from an arbitrary origin. For durations and deadlines. */
  monoMs(): number;
  /** Milliseconds since 1970-01-01 UTC. For stamps that leave the process. */
  unixMs(): number;
  /** Runs `callback` once, not before `delayMs` from now. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): Timer;
  /**
   * Runs `callback` every `periodMs`, the first time within one period from now: a clock may let those of equal or multiple periods fall
   * together, so that they wake the process once.
   */
  every(periodMs: number, callback: () => void): Timer;
}
