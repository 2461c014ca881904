import type { TrackKind, TrackSource } from "./values.ts";

/** One look at what flows. Rates are since the look before (the first: since the start). */
export interface RoomStats {
  /** Milliseconds to the server and back: of the media path, or of the signaling connection when there is none. */
  readonly rttMs: number | undefined;
  readonly signalRttMs: number | undefined;
  readonly sendBitrateBps: number;
  readonly receiveBitrateBps: number;
  /** What the congestion controller thinks the way up carries. */
  readonly availableOutgoingBps: number | undefined;
  /** "udp", "tcp"; undefined without media. */
  readonly transport: string | undefined;
  readonly tracks: readonly TrackStats[];
}

export interface TrackStats {
  readonly direction: "send" | "receive";
  /** Publication id; undefined while it is not known whose packets a slot carries. */
  readonly publicationId: string | undefined;
  readonly participantId: string | undefined;
  readonly kind: TrackKind;
  readonly source: TrackSource | undefined;
  readonly codec: string | undefined;
  readonly bitrateBps: number;
  /** 0 to 1, of the packets of this interval. */
  readonly lossRatio: number;
  readonly jitterMs: number | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly framesPerSecond: number | undefined;
  readonly framesDecoded: number | undefined;
  readonly freezeCount: number | undefined;
}
