/** A pair of receive slots as negotiated. */
export interface SlotPair {
  readonly pair: number;
  readonly audioMid: string;
  readonly videoMid: string;
}

/** What somebody wants to see or hear: one stream, or one more track of it. */
export interface Demand {
  /** Stays the same while the demand exists. */
  readonly key: string;
  readonly streamId: number;
  /** Track mids of the publisher, "": whichever the server finds best; undefined: not wanted. */
  readonly video: string | undefined;
  readonly audio: string | undefined;
  /** Takes a free pair, but is no reason to make one (sound that is muted now). */
  readonly isOptional: boolean;
  /** Among equals the lower comes first (who spoke last, then who came first). */
  readonly rank: number;
}

export interface BindingWish {
  readonly mid: string;
  /** 0: nothing. */
  readonly streamId: number;
  readonly trackMid: string;
}

export interface SlotPlan {
  /** Demand key per pair number; a pair that is not in it is free. */
  readonly assigned: ReadonlyMap<number, string>;
  /** Every slot, bound or not. */
  readonly bindings: readonly BindingWish[];
  /** Audio slots for the server to bind to the loudest; empty when everybody who is wanted has a slot. */
  readonly speakerMids: readonly string[];
  /** How many pairs there should be; more than there are: offer again. */
  readonly wantedPairs: number;
}

/** Pairs kept for speakers who have no slot of their own, when there are more demands than pairs may be. */
const speakerReserve = 3;

/**
 * Which stream gets which pair. A stream keeps its pair while it is wanted: moving it would blank a face and cut a word. Video comes before
 * sound alone, because sound alone can be served by the speaker slots.
 */
export function planSlots(
  pairs: readonly SlotPair[],
  demands: readonly Demand[],
  before: ReadonlyMap<number, string>,
  maxPairs: number,
): SlotPlan {
  const active = demands
    .filter(({ video, audio }) => video !== undefined || audio !== undefined)
    .toSorted(
      (a, b) =>
        Number(a.isOptional) - Number(b.isOptional) ||
        Number(a.video === undefined) - Number(b.video === undefined) ||
        a.rank - b.rank,
    );
  const needed = active.filter(({ isOptional }) => !isOptional).length;
  const overflows = needed > maxPairs;
  const places = overflows ? Math.max(0, Math.min(pairs.length, maxPairs - speakerReserve)) : pairs.length;
  const served = new Map(active.slice(0, places).map((demand) => [demand.key, demand]));

  const assigned = new Map<number, string>();
  for (const { pair } of pairs) {
    const key = before.get(pair);
    if (key !== undefined && served.has(key)) assigned.set(pair, key);
  }
  const placed = new Set(assigned.values());
  const free = pairs.filter(({ pair }) => !assigned.has(pair));
  for (const key of served.keys()) {
    if (placed.has(key)) continue;
    const next = free.shift();
    if (next === undefined) break;
    assigned.set(next.pair, key);
  }

  const bindings: BindingWish[] = [];
  for (const { pair, audioMid, videoMid } of pairs) {
    const demand = served.get(assigned.get(pair) ?? "");
    bindings.push(wish(videoMid, demand?.streamId, demand?.video), wish(audioMid, demand?.streamId, demand?.audio));
  }
  const unserved = active.some(({ key, audio }) => audio !== undefined && !served.has(key));
  const speakerMids = overflows && unserved ? free.map(({ audioMid }) => audioMid) : [];
  return { assigned, bindings, speakerMids, wantedPairs: Math.min(maxPairs, needed) };
}

function wish(mid: string, streamId: number | undefined, trackMid: string | undefined): BindingWish {
  return streamId === undefined || trackMid === undefined
    ? { mid, streamId: 0, trackMid: "" }
    : { mid, streamId, trackMid };
}

/** How many pairs to have when `wanted` are needed: room for a few more, so that the next arrivals need no offer. */
export function grownPairs(have: number, wanted: number, maxPairs: number): number {
  return wanted <= have ? have : Math.min(maxPairs, Math.max(wanted, have * 2));
}
