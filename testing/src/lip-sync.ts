import type { BrowserClient } from "./script-page.ts";

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

/** What a page has noted of one client's flashes and beeps. */
export interface LipWatch {
  /** The newest `count` offsets, undefined until there are so many. */
  readonly newest: (count: number) => Promise<LipSync | undefined>;
}

/**
 * Starts to note flashes and beeps at a viewer.
 *
 * @param periodMs between two flashes
 */
export async function watchLips(viewer: BrowserClient, id: number, periodMs: number): Promise<LipWatch> {
  await viewer.call("startLips", id);
  return {
    newest: async (count) => {
      const seen = (await viewer.call("readLips", id)) as { flashes: number[]; beeps: number[] };
      const offsets = matchFlashes(seen.flashes, seen.beeps, periodMs);
      return offsets.length < count ? undefined : summarize(offsets.slice(-count));
    },
  };
}
