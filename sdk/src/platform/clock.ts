import type { Clock, Timer } from "@parley/foundation";

/** Node's timers keep the process alive unless told otherwise; browsers have no such thing. */
function unref(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
    timer.unref();
}

function timerOf(handle: ReturnType<typeof setTimeout>, clear: (handle: ReturnType<typeof setTimeout>) => void): Timer {
  unref(handle);
  return { cancel: () => clear(handle) };
}

/** The clock of a browser or of Node. */
export const platformClock: Clock = {
  monoMs: () => performance.now(),
  unixMs: () => Date.now(),
  after: (delayMs, callback) => timerOf(setTimeout(callback, delayMs), clearTimeout),
  every: (periodMs, callback) => timerOf(setInterval(callback, periodMs), clearInterval),
};
