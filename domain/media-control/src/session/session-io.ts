import type { IceOutput } from "../ice/ice-agent.ts";
import type { CodecGrant, Grant } from "../negotiation/grant-parts.ts";
import type {
  DtlsOptions,
  PathAddress,
  PayloadTypeMapping,
  PlaneCodec,
  PlaneExtension,
  PlaneIce,
  SlotOptions,
  TrackOptions,
} from "../ports.ts";

/** A track of some session, the way bindings name it. */
export interface TrackRef {
  readonly sessionId: string;
  readonly mid: string;
}

/** What happens to a session. */
export type SessionInput =
  /** A grant of a higher revision than the last. */
  | { readonly type: "grant"; readonly grant: Grant }
  | { readonly type: "stun"; readonly address: PathAddress; readonly datagram: Uint8Array }
  | { readonly type: "nominated"; readonly address: PathAddress }
  | { readonly type: "path-closed"; readonly address: PathAddress }
  | { readonly type: "dtls"; readonly address: PathAddress; readonly datagram: Uint8Array }
  /** What the handshake came to after the last step. */
  | {
      readonly type: "dtls-state";
      readonly state: "connected" | "closed" | "failed";
      readonly fingerprintMismatch: boolean;
    }
  /** The track a slot is bound to is there (again), or gone (undefined). */
  | { readonly type: "publisher"; readonly slotMid: string; readonly track: PublisherTrack | undefined }
  | { readonly type: "slot-started"; readonly slotMid: string; readonly streamId: number }
  | { readonly type: "track-ended"; readonly mid: string }
  /** Counters, about once a second; also the session's clock tick. */
  | { readonly type: "sample"; readonly sample: SessionSample };

export interface PublisherTrack {
  readonly ref: TrackRef;
  readonly codecs: readonly CodecGrant[];
  /** Another number: another track of the data plane, which must be bound anew. */
  readonly generation: number;
}

/** A reading of the data plane's counters, for the call it is handed to; ages because its clock is not ours. */
export interface SessionSample {
  /** Since the last authenticated check; undefined: never. */
  readonly consentAgeMs: number | undefined;
  readonly rttUs: number;
  /** Datagrams of any kind from the client's address, in all. */
  readonly receivedPackets: number;
  readonly delivery: DeliverySample;
  /** By mid. */
  readonly tracks: { get(mid: string): TrackSample | undefined };
  readonly slots: { get(mid: string): SlotSample | undefined };
}

/** By the client's transport-wide feedback; totals but the last. */
export interface DeliverySample {
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number;
  readonly pacingDelayUs: number;
}

export interface TrackSample {
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number;
  readonly payloadType: number;
  /** Undefined: no packet yet. */
  readonly lastPacketAgeMs: number | undefined;
  readonly audioLevel: number;
}

export interface SlotSample {
  readonly bytes: number;
  readonly lossRatio: number;
  readonly streamId: number;
}

/** What is to be done, in this order. */
export type SessionOutput =
  | { readonly type: "open-peer"; readonly ice: PlaneIce }
  | IceOutput
  | {
      readonly type: "set-codecs";
      readonly codecs: readonly PlaneCodec[];
      readonly extensions: readonly PlaneExtension[];
    }
  | { readonly type: "open-track"; readonly options: TrackOptions }
  | { readonly type: "pause-track"; readonly mid: string; readonly paused: boolean }
  | { readonly type: "close-track"; readonly mid: string }
  | { readonly type: "open-slot"; readonly options: SlotOptions }
  | {
      readonly type: "bind-slot";
      readonly mid: string;
      readonly track: TrackRef | undefined;
      readonly payloadTypes: readonly PayloadTypeMapping[];
    }
  | { readonly type: "close-slot"; readonly mid: string }
  /** The slot's wish changed; whoever knows all sessions answers with `publisher`, now and whenever that changes. */
  | { readonly type: "want-publisher"; readonly slotMid: string; readonly track: TrackRef | undefined }
  /** A track of this session can be bound to (with other codecs, or anew), or no longer. */
  | { readonly type: "track-changed"; readonly mid: string; readonly codecs: readonly CodecGrant[] | undefined }
  | { readonly type: "request-key-frame"; readonly track: TrackRef }
  | { readonly type: "open-dtls"; readonly options: Pick<DtlsOptions, "role" | "remoteFingerprints"> }
  /** Feed the handshake; an empty datagram starts a client. */
  | { readonly type: "dtls-receive"; readonly address: PathAddress; readonly datagram: Uint8Array }
  | { readonly type: "set-srtp-keys" }
  /** The peer is to be closed, its handshake first: no more comes but statuses. */
  | { readonly type: "close-peer" }
  /** Something changed that signaling should know at once. */
  | { readonly type: "status" }
  /** Something changed that nobody acts on: what a slot shows, or which revision is applied. Told soon, with what changes until then. */
  | { readonly type: "status-soon" };
