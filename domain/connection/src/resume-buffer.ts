/** One frame that was numbered, as it went over the wire. */
export interface KeptFrame {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/**
 * Frames a client has not acknowledged, oldest first, bounded in bytes and number. What does not fit pushes out the oldest; a
 * client that misses one of those cannot resume, and {@link since} says so.
 */
export class ResumeBuffer {
  readonly #maxBytes: number;
  readonly #maxFrames: number;
  #frames: KeptFrame[] = [];
  /** Index of the oldest frame in `#frames`; the part before is cut off now and then. */
  #start = 0;
  #bytes = 0;
  #lastSeq = 0;

  constructor(maxBytes: number, maxFrames: number) {
    this.#maxBytes = maxBytes;
    this.#maxFrames = maxFrames;
  }

  /** The number the next frame gets. */
  get nextSeq(): number {
    return this.#lastSeq + 1;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#frames.length - this.#start;
  }

  /** `bytes` must carry {@link nextSeq}. */
  push(bytes: Uint8Array): void {
    this.#lastSeq += 1;
    this.#frames.push({ seq: this.#lastSeq, bytes });
    this.#bytes += bytes.length;
    while (this.#bytes > this.#maxBytes || this.length > this.#maxFrames) this.#dropOldest();
  }

  /** The client has handled everything up to `seq`. False: it names a frame that was never sent. */
  acknowledge(seq: number): boolean {
    if (seq > this.#lastSeq) return false;
    while (this.length > 0 && (this.#frames[this.#start]?.seq ?? 0) <= seq) this.#dropOldest();
    return true;
  }

  /** Everything after `seq`, or undefined when some of it is gone or `seq` was never sent. */
  since(seq: number): readonly KeptFrame[] | undefined {
    if (seq > this.#lastSeq || seq < 0) return undefined;
    if (seq === this.#lastSeq) return [];
    const oldest = this.#frames[this.#start]?.seq;
    if (oldest === undefined || oldest > seq + 1) return undefined;
    return this.#frames.slice(this.#start + (seq + 1 - oldest));
  }

  #dropOldest(): void {
    this.#bytes -= this.#frames[this.#start]?.bytes.length ?? 0;
    this.#start += 1;
    // Cutting off costs as much as is left; at half it is paid by what was dropped.
    if (this.#start * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#start);
      this.#start = 0;
    }
  }
}
