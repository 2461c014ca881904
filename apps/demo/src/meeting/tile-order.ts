/** Keeps tiles where they are: people are found by place. Only who speaks on a later page comes to the first one. */
export class TileOrder {
  #order: string[] = [];
  readonly #lastSpoke = new Map<string, number>();
  #turn = 0;

  /**
   * The order now.
   *
   * @param present keys of all tiles; new ones come last, `fixed` ones stand first in the order given
   * @param speaking keys of who speaks, loudest first
   * @param firstPage how many stand on the first page
   */
  arrange(
    present: readonly string[],
    fixed: ReadonlySet<string>,
    speaking: readonly string[],
    firstPage: number,
  ): readonly string[] {
    const there = new Set(present);
    const heads = present.filter((key) => fixed.has(key));
    const kept = this.#order.filter((key) => there.has(key) && !fixed.has(key));
    const known = new Set(kept);
    const order = [...heads, ...kept, ...present.filter((key) => !fixed.has(key) && !known.has(key))];
    this.#turn += 1;
    for (const key of speaking) if (there.has(key)) this.#lastSpoke.set(key, this.#turn);
    for (const key of this.#lastSpoke.keys()) if (!there.has(key)) this.#lastSpoke.delete(key);
    const isSpeaking = new Set(speaking);
    for (const key of speaking) {
      const at = order.indexOf(key);
      if (at < firstPage) continue;
      const place = this.#quietest(order.slice(0, firstPage), fixed, isSpeaking);
      if (place < 0) break;
      [order[at], order[place]] = [order[place] ?? key, key];
    }
    this.#order = order;
    return order;
  }

  /** Index of who has been silent for longest; -1 when all speak or are fixed. */
  #quietest(page: readonly string[], fixed: ReadonlySet<string>, speaking: ReadonlySet<string>): number {
    let best = -1;
    let bestTurn = Infinity;
    for (const [index, key] of page.entries()) {
      if (fixed.has(key) || speaking.has(key)) continue;
      const turn = this.#lastSpoke.get(key) ?? 0;
      // The later of two that never spoke goes: who came first stays.
      if (turn <= bestTurn) [best, bestTurn] = [index, turn];
    }
    return best;
  }
}
