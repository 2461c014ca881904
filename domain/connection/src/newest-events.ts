/** In as many rooms as one may be, one of each kind. */
const maxKept = 64;

/** Events that a connection could not take, where the last one says all that those before said. */
export class NewestEvents {
  /** Most connections never keep any. */
  #kept: Map<string, Uint8Array> | undefined;

  /** In place of an older one of the same. */
  keep(newestOf: string, event: Uint8Array): void {
    this.#kept ??= new Map();
    this.#kept.delete(newestOf);
    this.#kept.set(newestOf, event);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }

  forget(newestOf: string): void {
    this.#kept?.delete(newestOf);
  }

  /** All of them, in the order in which they came. */
  take(): Iterable<Uint8Array> {
    const kept = this.#kept;
    if (kept === undefined) return [];
    this.#kept = undefined;
    return kept.values();
  }
}
