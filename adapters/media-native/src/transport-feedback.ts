import type { FeedbackSink, PacketGroups, PeerHandle, TransportFeedback } from "@parley/domain-media-control";

// Layout of FeedbackRecord (native/include/parley/engine/events.h), in words of four bytes, with the length in front.
const LENGTH = 0;
const DELAY = 1;
const INDEX = 2;
const GENERATION = 3;
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

/** Of a handle, below its generation (native/include/parley/engine/handle.h). */
const INDICES = 2 ** 22;

/** Who wants the feedback of which peer: by the index in its handle, so that the 20,000 reports a second of 2,000 subscribers cost a look into a list each. */
export class FeedbackSinks {
  readonly #sinks: (FeedbackSink | undefined)[] = [];
  readonly #generations: number[] = [];
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  set(peer: PeerHandle, sink: FeedbackSink | undefined): void {
    const index = peer % INDICES;
    const generation = Math.floor(peer / INDICES);
    const before = this.#sinks[index];
    // A late word about a peer whose place is another's by now.
    if (sink === undefined && this.#generations[index] !== generation) return;
    while (this.#sinks.length <= index) {
      this.#sinks.push(undefined);
      this.#generations.push(0);
    }
    this.#count += Number(sink !== undefined) - Number(before !== undefined);
    this.#sinks[index] = sink;
    this.#generations[index] = generation;
  }

  find(index: number, generation: number): FeedbackSink | undefined {
    return this.#generations[index] === generation ? this.#sinks[index] : undefined;
  }
}

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

  /** Hands over each record of the block's first `bytes`, where somebody wants it. */
  each(bytes: number, sinks: FeedbackSinks): void {
    const end = bytes / 4;
    for (this.#at = 0; this.#at < end; this.#at += 1 + this.#word(LENGTH) / 4) {
      sinks.find(this.#word(INDEX), this.#word(GENERATION))?.take(this);
    }
  }

  get peer(): PeerHandle {
    return (this.#word(GENERATION) * INDICES + this.#word(INDEX)) as PeerHandle;
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
