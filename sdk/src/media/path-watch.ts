/** A look at one PeerConnection's path. */
export interface PathSample {
  readonly atMs: number;
  /** Everything that came in on the selected pair, feedback and STUN answers included; undefined: no pair. */
  readonly receivedPackets: number | undefined;
}

/** While packets used to come steadily, so much silence means a dead path. Chromium takes some 5 s to say "disconnected". */
const stalledAfterMs = 1_800;
/** "Steadily": packets in each of this many samples before the silence. */
const steadySamples = 2;

/** Finds a path that has gone dead before the browser says so, from counters that used to grow and stopped. */
export class PathWatch {
  #last: PathSample | undefined;
  #grewInRow = 0;
  #steadyUntilMs: number | undefined;
  #isStalled = false;

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Returns true once, when the path has just been found dead. */
  add(sample: PathSample): boolean {
    const before = this.#last;
    this.#last = sample;
    if (before?.receivedPackets === undefined || sample.receivedPackets === undefined) return this.#forget();
    const grew = sample.receivedPackets > before.receivedPackets;
    if (sample.receivedPackets < before.receivedPackets) return this.#forget();
    if (grew) {
      this.#grewInRow += 1;
      this.#isStalled = false;
      if (this.#grewInRow >= steadySamples) this.#steadyUntilMs = sample.atMs;
      return false;
    }
    this.#grewInRow = 0;
    if (this.#steadyUntilMs === undefined || this.#isStalled) return false;
    if (sample.atMs - this.#steadyUntilMs < stalledAfterMs) return false;
    this.#isStalled = true;
    this.#steadyUntilMs = undefined;
    return true;
  }

  /** Another pair, or none: counters start anew. */
  #forget(): false {
    this.#grewInRow = 0;
    this.#steadyUntilMs = undefined;
    this.#isStalled = false;
    return false;
  }
}
