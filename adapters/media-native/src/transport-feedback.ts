import type { PacketGroups, PeerHandle, TransportFeedback } from "@parley/domain-media-control";

// Layout of FeedbackRecord (native/include/parley/engine/events.h), in words of four bytes, with the length in front.
const LENGTH = 0;
const DELAY = 1;
const PEER = 2;
const ARRIVAL = 4;
const PACKETS = 6;
const BYTES = 7;
const LOST = 8;
const GROUPS = 9;
const HEAD_WORDS = 10;

const GROUP_WORDS = 4;
const GROUP_RECEIVE = 1;
const GROUP_BYTES = 2;
/** Two numbers of 16 bits, packets and lost. */
const GROUP_COUNTS = 3;

/** Reads feedback where the data plane has put it. One object for all of it: it stands for the record that is being read. */
export class FeedbackReader implements TransportFeedback {
  readonly #unsigned: Uint32Array;
  readonly #signed: Int32Array;
  readonly #doubles: Float64Array;
  /** Of the record, in words. */
  #at = 0;
  readonly groups: PacketGroups;

  constructor(block: ArrayBuffer) {
    this.#unsigned = new Uint32Array(block);
    this.#signed = new Int32Array(block);
    this.#doubles = new Float64Array(block);
    const groupAt = (index: number, word: number): number => this.#at + HEAD_WORDS + index * GROUP_WORDS + word;
    const unsigned = (index: number, word: number): number => this.#unsigned[groupAt(index, word)] ?? 0;
    const signed = (index: number, word: number): number => this.#signed[groupAt(index, word)] ?? 0;
    const count = (): number => this.#word(GROUPS);
    this.groups = {
      get count() {
        return count();
      },
      sendDeltaUs: (index) => signed(index, 0),
      receiveDeltaUs: (index) => signed(index, GROUP_RECEIVE),
      bytes: (index) => unsigned(index, GROUP_BYTES),
      packets: (index) => unsigned(index, GROUP_COUNTS) & 0xffff,
      lost: (index) => unsigned(index, GROUP_COUNTS) >>> 16,
    };
  }

  /** Hands over each record of the block's first `bytes`. */
  each(bytes: number, handler: (feedback: TransportFeedback) => void): void {
    const end = bytes / 4;
    for (this.#at = 0; this.#at < end; this.#at += 1 + this.#word(LENGTH) / 4) handler(this);
  }

  get peer(): PeerHandle {
    return this.#double(PEER) as PeerHandle;
  }

  get receivedMonoMs(): number {
    return this.#double(ARRIVAL) / 1000;
  }

  get feedbackDelayUs(): number {
    return this.#word(DELAY);
  }

  get packets(): number {
    return this.#word(PACKETS);
  }

  get bytes(): number {
    return this.#word(BYTES);
  }

  get lost(): number {
    return this.#word(LOST);
  }

  #word(offset: number): number {
    return this.#unsigned[this.#at + offset] ?? 0;
  }

  #double(offset: number): number {
    return this.#doubles[(this.#at + offset) / 2] ?? 0;
  }
}
