import type { Clock, Timer } from "@parley/foundation";
import { Beat } from "./beat.ts";

const beat = new Beat(() => performance.now());

/** The machine's clock. Its timers never keep the process alive. */
export const systemClock: Clock = {
  monoMs: () => performance.now(),
  unixMs: () => Date.now(),
  after(delayMs, callback): Timer {
    const startedAtMs = performance.now();
    let handle: NodeJS.Timeout;
    const arm = (waitMs: number): void => {
      handle = setTimeout(fire, Math.min(waitMs, longestTimeoutMs));
      handle.unref();
    };
    // Node's timers count whole milliseconds and may be up to one early, and cannot wait longer than 24.8 days.
    const fire = (): void => {
      const leftMs = delayMs - (performance.now() - startedAtMs);
      if (leftMs > 0) arm(Math.ceil(leftMs));
      else callback();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
  every: (periodMs, callback): Timer => beat.every(periodMs, callback),
};

const longestTimeoutMs = 2 ** 31 - 1;
