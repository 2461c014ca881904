import type { CodecGrant } from "../negotiation/grant-parts.ts";
import type { PublisherTrack, TrackRef } from "./session-io.ts";

/** A slot of some session. */
export interface SlotRef {
  readonly sessionId: string;
  readonly mid: string;
}

/** A slot that is to be told about the track it wants. */
export interface PublisherChange {
  readonly slot: SlotRef;
  readonly track: PublisherTrack | undefined;
}

/**
 * Who wants which track, across the sessions of a node. A wish for a track that is not there waits, and is met when it comes; a track that comes back
 * with other codecs, or is opened anew, is told to all who want it.
 */
export class BindingTable {
  /** By track: the slots that want it. */
  readonly #wishes = new Map<string, Map<string, SlotRef>>();
  /** By slot: the track it wants. */
  readonly #wantedBy = new Map<string, string>();
  readonly #tracks = new Map<string, PublisherTrack>();
  #generation = 0;

  /** Returns what the slot is to be told now. */
  want(slot: SlotRef, track: TrackRef | undefined): PublisherChange[] {
    this.#forgetWish(slot);
    if (track === undefined) return [];
    const key = keyOf(track);
    this.#wantedBy.set(keyOf(slot), key);
    const wishes = this.#wishes.get(key) ?? new Map<string, SlotRef>();
    wishes.set(keyOf(slot), slot);
    this.#wishes.set(key, wishes);
    return [{ slot, track: this.#tracks.get(key) }];
  }

  /** A track was opened or its codecs changed (`codecs`), or it was closed (undefined). */
  trackChanged(ref: TrackRef, codecs: readonly CodecGrant[] | undefined): PublisherChange[] {
    const key = keyOf(ref);
    const before = this.#tracks.get(key);
    if (codecs === undefined) {
      if (before === undefined) return [];
      this.#tracks.delete(key);
    } else {
      // A track that was closed in between is gone from the table, so what is still here is the same track with other codecs.
      this.#tracks.set(key, { ref, codecs, generation: before?.generation ?? ++this.#generation });
    }
    const track = this.#tracks.get(key);
    return [...(this.#wishes.get(key)?.values() ?? [])].map((slot) => ({ slot, track }));
  }

  /** Slots that wait for a track that is not there. */
  get waiting(): number {
    let count = 0;
    for (const [key, slots] of this.#wishes) if (!this.#tracks.has(key)) count += slots.size;
    return count;
  }

  #forgetWish(slot: SlotRef): void {
    const slotKey = keyOf(slot);
    const trackKey = this.#wantedBy.get(slotKey);
    if (trackKey === undefined) return;
    this.#wantedBy.delete(slotKey);
    const wishes = this.#wishes.get(trackKey);
    wishes?.delete(slotKey);
    if (wishes?.size === 0) this.#wishes.delete(trackKey);
  }
}

/** Ids hold no control characters (`isValidName`, a=mid's grammar), so this is one to one. */
function keyOf({ sessionId, mid }: { readonly sessionId: string; readonly mid: string }): string {
  return `${sessionId}\n${mid}`;
}
