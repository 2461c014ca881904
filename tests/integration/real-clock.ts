import type { Clock, Timer } from "@parley/foundation";

/** The machine's clock, for tests that talk over real sockets. */
export const realClock: Clock = {
  monoMs: () => performance.now(),
  unixMs: () => Date.now(),
  after: (delayMs, callback) => timerOf(setTimeout(callback, delayMs).unref()),
  every: (periodMs, callback) => timerOf(setInterval(callback, periodMs).unref()),
};

function timerOf(handle: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(handle) };
}
