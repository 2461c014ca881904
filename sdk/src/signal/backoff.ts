import type { Random } from "@parley/foundation";

/** The first attempt comes at once (with some jitter): most breaks are short. */
const firstMs = 150;
/** A server that comes back is found within this. */
const longestMs = 3_000;

/** How long to wait before attempt `attempt` (0 is the first): doubling, between half and all of the step. */
export function backoffMs(attempt: number, random: Random): number {
  const step = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 16));
  return Math.round(step * (0.5 + random.uint32() / 2 ** 33));
}
