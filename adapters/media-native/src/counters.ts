import type { PeerCounters, PlaneCounters, SlotCounters, TrackCounters } from "@parley/domain-media-control";
import type { NativePlane } from "@parley/native";

// Layout of native/include/parley/engine/counters.h: doubles; field 0 holds the handle while it is open.
const CHUNK_ENTRIES = 256;
const HANDLE_INDEX_BITS = 22;

const PEERS = { kind: 0, stride: 20 } as const;
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
    const at = this.#entry(PEERS.kind, PEERS.stride, handle);
    if (at === undefined) return undefined;
    return {
      rxBytes: field(at, 1),
      txBytes: field(at, 2),
      rxPackets: field(at, 3),
      txPackets: field(at, 4),
      lastConsentMonoMs: field(at, 5),
      srtpAuthFailures: field(at, 6),
      srtpReplays: field(at, 7),
      rttUs: field(at, 8),
      twccReportsSent: field(at, 9),
      twccReportsReceived: field(at, 10),
      deliveredPackets: field(at, 11),
      deliveredBytes: field(at, 12),
      undeliveredPackets: field(at, 13),
      feedbackDelayUs: field(at, 14),
      pacedBytes: field(at, 15),
      pacingDelayUs: field(at, 16),
      pacedPackets: field(at, 17),
      pacingDrops: field(at, 18),
    };
  }

  track(handle: number): TrackCounters | undefined {
    const at = this.#entry(TRACKS.kind, TRACKS.stride, handle);
    if (at === undefined) return undefined;
    return {
      packets: field(at, 1),
      bytes: field(at, 2),
      lost: field(at, 3),
      nacksSent: field(at, 4),
      rtxReceived: field(at, 5),
      keyFrames: field(at, 6),
      keyFrameRequestsSent: field(at, 7),
      jitterRtpTicks: field(at, 8),
      payloadType: field(at, 9),
      lastPacketMonoMs: field(at, 10),
      audioLevel: field(at, 11),
    };
  }

  slot(handle: number): SlotCounters | undefined {
    const at = this.#entry(SLOTS.kind, SLOTS.stride, handle);
    if (at === undefined) return undefined;
    return {
      packets: field(at, 1),
      bytes: field(at, 2),
      nacksReceived: field(at, 3),
      rtxSent: field(at, 4),
      keyFrameRequestsReceived: field(at, 5),
      lossRatio: field(at, 6),
      streamId: field(at, 7),
    };
  }

  /** The fields of an open handle; undefined when it is closed or was never one. */
  #entry(kind: number, stride: number, handle: number): Float64Array | undefined {
    if (!Number.isSafeInteger(handle) || handle <= 0) return undefined;
    const index = handle % 2 ** HANDLE_INDEX_BITS;
    const number = Math.floor(index / CHUNK_ENTRIES);
    const chunks = this.#chunks[kind] ?? [];
    let chunk = chunks[number];
    if (chunk === undefined) {
      const block = this.#native.counterBlock(kind, number);
      if (block === undefined) return undefined;
      chunk = new Float64Array(block);
      chunks[number] = chunk;
    }
    const begin = (index % CHUNK_ENTRIES) * stride;
    return chunk[begin] === handle ? chunk.subarray(begin, begin + stride) : undefined;
  }
}

function field(entry: Float64Array, index: number): number {
  return entry[index] ?? 0;
}
