import type { BrowserClient } from "./script-page.ts";
import { type Phases, until } from "./deadline.ts";

/** Picture against sound, as a viewer in a browser has them. */
export interface LipSync {
  /** Median of flash minus beep: positive when the picture is late. */
  readonly medianMs: number;
  readonly spreadMs: number;
  readonly offsetsMs: readonly number[];
}

/**
 * Matches flashes with the nearest beeps.
 *
 * @param periodMs between two flashes: an offset of more than half of it could not be told from the next beep's
 */
export function matchFlashes(
  flashesMs: readonly number[],
  beepsMs: readonly number[],
  periodMs: number,
): readonly number[] {
  const offsets: number[] = [];
  for (const flash of flashesMs) {
    let best: number | undefined;
    for (const beep of beepsMs) if (best === undefined || Math.abs(flash - beep) < Math.abs(best)) best = flash - beep;
    if (best !== undefined && Math.abs(best) < periodMs / 2) offsets.push(best);
  }
  return offsets;
}

export function summarize(offsetsMs: readonly number[]): LipSync {
  const sorted = offsetsMs.toSorted((one, other) => one - other);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { medianMs: at(0.5), spreadMs: at(0.9) - at(0.1), offsetsMs: offsetsMs.map((one) => Math.round(one)) };
}

/**
 * Measures at a viewer until `flashes` flashes were matched, leaving out those of the first `settleMs` (a receiver moves picture and sound
 * together by some 80 ms a second).
 *
 * @throws {DeadlineError} when too few flashes or beeps are seen and heard.
 */
export async function measureLipSync(
  viewer: BrowserClient,
  id: number,
  options: { readonly periodMs: number; readonly flashes: number; readonly settleMs: number; readonly phases?: Phases },
): Promise<LipSync> {
  await viewer.call("startLips", id);
  const fromMs = Number(await viewer.page.evaluate("performance.now()")) + options.settleMs;
  let seen:
    | { readonly flashes: readonly number[]; readonly beeps: readonly number[]; readonly frames: number }
    | undefined;
  const offsets = await until(
    async () => {
      seen = (await viewer.call("readLips", id)) as { flashes: number[]; beeps: number[]; frames: number };
      const late = seen.flashes.filter((flash) => flash >= fromMs);
      const matched = matchFlashes(late, seen.beeps, options.periodMs);
      return matched.length >= options.flashes ? matched : undefined;
    },
    {
      what: `${options.flashes} flashes with beeps`,
      // Twice what it takes, for flashes that fall on lost frames.
      deadlineMs: options.settleMs + options.flashes * options.periodMs * 2 + 4000,
      intervalMs: 250,
      describe: () => seen,
      ...(options.phases === undefined ? {} : { phases: options.phases }),
    },
  );
  return summarize(offsets);
}
