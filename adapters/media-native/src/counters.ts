import type { PeerCounters, PlaneCounters, SlotCounters, TrackCounters } from "@parley/domain-media-control";
import type { NativePlane } from "@parley/native";

// Layout of native/include/parley/engine/counters.h: doubles; field 0 holds the handle while it is open.
const CHUNK_ENTRIES = 256;
const HANDLE_INDEX_BITS = 22;

const PEERS = { kind: 0, stride: 24 } as const;
const TRACKS = { kind: 1, stride: 12 } as const;
const SLOTS = { kind: 2, stride: 8 } as const;

/** Reads the data plane's counters out of the memory it shares. Only a new chunk costs a call. */
export class CounterReader {
  readonly #native: NativePlane;
  readonly #chunks: Float64Array[][] = [[], [], []];
  readonly #planeBlocks: Float64Array[];

  constructor(native: NativePlane) {
    this.#native = native;
    this.#planeBlocks = native.planeCounterBlocks().map((block) => new Float64Array(block));
  }

  plane(): PlaneCounters {
    const sum = (field: number): number => this.#planeBlocks.reduce((total, block) => total + (block[field] ?? 0), 0);
    return {
      rxDatagrams: sum(0),
      rxBytes: sum(1),
      txDatagrams: sum(2),
      txBytes: sum(3),
      sendCalls: sum(4),
      sendMessages: sum(5),
      sendErrors: sum(6),
      strangers: sum(7),
      forgedUfrags: sum(8),
      malformed: sum(9),
      eventsDropped: sum(10),
      staleCommands: sum(11),
      feedbackDropped: sum(14),
      replayed: sum(15),
      unauthenticated: sum(16),
    };
  }

  peer(handle: number): PeerCounters | undefined {
    const chunk = this.#chunkOf(PEERS.kind, handle);
    const at = (handle % CHUNK_ENTRIES) * PEERS.stride;
    if (chunk?.[at] !== handle) return undefined;
    return {
      rxBytes: chunk[at + 1] ?? 0,
      txBytes: chunk[at + 2] ?? 0,
      rxPackets: chunk[at + 3] ?? 0,
      txPackets: chunk[at + 4] ?? 0,
      lastConsentMonoMs: chunk[at + 5] ?? 0,
      srtpAuthFailures: chunk[at + 6] ?? 0,
      srtpReplays: chunk[at + 7] ?? 0,
      rttUs: chunk[at + 8] ?? 0,
      twccReportsSent: chunk[at + 9] ?? 0,
      twccReportsReceived: chunk[at + 10] ?? 0,
      deliveredPackets: chunk[at + 11] ?? 0,
      deliveredBytes: chunk[at + 12] ?? 0,
      undeliveredPackets: chunk[at + 13] ?? 0,
      feedbackDelayUs: chunk[at + 14] ?? 0,
      pacedBytes: chunk[at + 15] ?? 0,
      pacingDelayUs: chunk[at + 16] ?? 0,
      pacedPackets: chunk[at + 17] ?? 0,
      pacingDrops: chunk[at + 18] ?? 0,
    };
  }

  track(handle: number): TrackCounters | undefined {
    const chunk = this.#chunkOf(TRACKS.kind, handle);
    const at = (handle % CHUNK_ENTRIES) * TRACKS.stride;
    if (chunk?.[at] !== handle) return undefined;
    return {
      packets: chunk[at + 1] ?? 0,
      bytes: chunk[at + 2] ?? 0,
      lost: chunk[at + 3] ?? 0,
      nacksSent: chunk[at + 4] ?? 0,
      rtxReceived: chunk[at + 5] ?? 0,
      keyFrames: chunk[at + 6] ?? 0,
      keyFrameRequestsSent: chunk[at + 7] ?? 0,
      jitterRtpTicks: chunk[at + 8] ?? 0,
      payloadType: chunk[at + 9] ?? 0,
      lastPacketMonoMs: chunk[at + 10] ?? 0,
      audioLevel: chunk[at + 11] ?? 0,
    };
  }

  slot(handle: number): SlotCounters | undefined {
    const chunk = this.#chunkOf(SLOTS.kind, handle);
    const at = (handle % CHUNK_ENTRIES) * SLOTS.stride;
    if (chunk?.[at] !== handle) return undefined;
    return {
      packets: chunk[at + 1] ?? 0,
      bytes: chunk[at + 2] ?? 0,
      nacksReceived: chunk[at + 3] ?? 0,
      rtxSent: chunk[at + 4] ?? 0,
      keyFrameRequestsReceived: chunk[at + 5] ?? 0,
      lossRatio: chunk[at + 6] ?? 0,
      streamId: chunk[at + 7] ?? 0,
    };
  }

  /** Where the fields of a handle are, if it is open: then the first of them is the handle. Nothing is allocated: this is read thousands of times a second. */
  #chunkOf(kind: number, handle: number): Float64Array | undefined {
    if (!Number.isSafeInteger(handle) || handle <= 0) return undefined;
    const number = Math.floor((handle % 2 ** HANDLE_INDEX_BITS) / CHUNK_ENTRIES);
    const chunks = this.#chunks[kind] ?? [];
    const known = chunks[number];
    if (known !== undefined) return known;
    const block = this.#native.counterBlock(kind, number);
    if (block === undefined) return undefined;
    const chunk = new Float64Array(block);
    chunks[number] = chunk;
    return chunk;
  }
}
