/** What a receiver tells of the packets it has played (WebRTC 1.0 5.5). */
export interface ContributingSource {
  readonly source: number;
  readonly timestamp: number;
}

/** The stream whose packet was played last; undefined: none of the last 10 s named one. */
export function currentSource(sources: readonly ContributingSource[]): number | undefined {
  let latest: ContributingSource | undefined;
  for (const source of sources) if (latest === undefined || source.timestamp >= latest.timestamp) latest = source;
  return latest?.source;
}

export type WatchChange =
  /** From now on what comes out of the slot is this stream. */
  | { readonly type: "shows"; readonly streamId: number }
  /** What came out until now does so no longer. */
  | { readonly type: "stopped"; readonly streamId: number };

/**
 * One slot: who is expected, and who really comes out. A name belongs to a picture only while the packets say so; messages about
 * bindings race the media, packets do not.
 */
export class SlotWatch {
  #expected = 0;
  /** The server chooses (a speaker's slot): whoever comes out is right. */
  #expectsAny = false;
  #shown = 0;
  #observed: number | undefined;

  /** The stream that is certainly coming out, 0 none. */
  get shown(): number {
    return this.#shown;
  }

  get expected(): number {
    return this.#expected;
  }

  /** True while something is expected that does not come yet. */
  get isPending(): boolean {
    return this.#expected !== 0 && this.#shown !== this.#expected;
  }

  /** The slot is (to be) bound to this stream; 0: nothing. */
  expect(streamId: number): readonly WatchChange[] {
    this.#expected = streamId;
    this.#expectsAny = false;
    return this.#update();
  }

  /** The server binds the slot to whoever speaks. */
  expectAny(): readonly WatchChange[] {
    this.#expected = 0;
    this.#expectsAny = true;
    return this.#update();
  }

  /** The server may put somebody else into it at any moment. */
  get expectsAny(): boolean {
    return this.#expectsAny;
  }

  /** True when nothing is to come out at all. */
  get isIdle(): boolean {
    return this.#expected === 0 && !this.#expectsAny;
  }

  /** The stream that was played last. */
  observe(streamId: number | undefined): readonly WatchChange[] {
    if (streamId !== undefined) this.#observed = streamId;
    return this.#update();
  }

  #update(): readonly WatchChange[] {
    const observed = this.#observed ?? 0;
    const shows = observed !== 0 && (this.#expectsAny || observed === this.#expected) ? observed : 0;
    if (shows === this.#shown) return [];
    const changes: WatchChange[] = [];
    if (this.#shown !== 0) changes.push({ type: "stopped", streamId: this.#shown });
    if (shows !== 0) changes.push({ type: "shows", streamId: shows });
    this.#shown = shows;
    return changes;
  }
}
