/** A look at one PeerConnection's path. */
export interface PathSample {
  readonly atMs: number;
  /** Everything that came in on the selected pair, feedback and STUN answers included; undefined: no pair. */
  readonly receivedPackets: number | undefined;
  /**
   * Whether packets should be coming all the time (media of somebody who is not muted, feedback on what we send). Without, there are
   * only the browser's own checks.
   */
  readonly expectsPackets: boolean;
}

/** While packets used to come steadily, so much silence means a dead path. Chromium takes some 5 s to say "disconnected". */
const stalledAfterMs = 1_800;
/** Where nothing is to come, the browser asks every 2.5 s at the longest (libwebrtc); two answers are missing then. */
const quietAfterMs = 6_000;
/** "Steadily": packets in each of this many samples before the silence. */
const steadySamples = 2;

/** Finds a path that has gone dead before the browser says so, from counters that used to grow and stopped. */
export class PathWatch {
  #last: PathSample | undefined;
  #grewInRow = 0;
  #grewAtMs = 0;
  /** Since when packets are expected without a break. */
  #expectedSinceMs = 0;
  #wasSteady = false;
  #isStalled = false;

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Returns true once, when the path has just been found dead. */
  add(sample: PathSample): boolean {
    const before = this.#last;
    this.#last = sample;
    if (before?.receivedPackets === undefined || sample.receivedPackets === undefined) return this.#forget();
    if (sample.receivedPackets < before.receivedPackets) return this.#forget();
    if (!before.expectsPackets || !sample.expectsPackets) this.#expectedSinceMs = sample.atMs;
    if (sample.receivedPackets > before.receivedPackets) {
      this.#grewInRow += 1;
      this.#grewAtMs = sample.atMs;
      this.#isStalled = false;
      if (this.#grewInRow >= steadySamples) this.#wasSteady = true;
      return false;
    }
    this.#grewInRow = 0;
    if (!this.#wasSteady || this.#isStalled) return false;
    const silentMs = sample.atMs - this.#grewAtMs;
    const missedMs = sample.atMs - Math.max(this.#grewAtMs, this.#expectedSinceMs);
    if (silentMs < quietAfterMs && missedMs < stalledAfterMs) return false;
    this.#isStalled = true;
    this.#wasSteady = false;
    return true;
  }

  /** Another pair, or none: counters start anew. */
  #forget(): false {
    this.#grewInRow = 0;
    this.#wasSteady = false;
    this.#isStalled = false;
    return false;
  }
}
