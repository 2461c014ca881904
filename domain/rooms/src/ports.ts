import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Random, Result } from "@parley/foundation";
import type { CodecParameters, IceParameters, IceParametersSchema, MediaKind, ParleyError, SessionGrant, SessionGrantSchema } from "@parley/protocol";
import type { RoomLimits } from "./limits.ts";

/** What rooms need of others. Everything here answers at once and without side effects but the drawing of randomness. */
export interface RoomPorts {
  readonly negotiator: SessionNegotiator;
  readonly random: Random;
  readonly limits: RoomLimits;
}

/** Answers offers without asking the media node (domain/media-control does the work). */
export interface SessionNegotiator {
  /** Picks a media node and answers. */
  open(request: OpenNegotiation): Result<NegotiatedSession, ParleyError>;
  /** Answers another offer of a session. `grant` is the session's present desired state. */
  update(request: UpdateNegotiation): Result<NegotiatedSession, ParleyError>;
  restartIce(grant: SessionGrant, remote: { readonly ufrag: string; readonly password: string }): IceInit;
  /** Whether packets of one of the publisher's codecs can be sent as one of the subscriber's. */
  canForward(from: readonly CodecParameters[], to: readonly CodecParameters[]): boolean;
  /** A session's memory as bytes and back, for a signaling process that starts while media flows. */
  writeMemory(memory: NegotiationMemory): Uint8Array;
  readMemory(bytes: Uint8Array, grant: SessionGrant): NegotiationMemory | undefined;
}

/** What a negotiator wants to see again at the next offer; only it looks inside. */
export type NegotiationMemory = object & { readonly __negotiation?: unique symbol };

export type IceInit = Exclude<MessageInitShape<typeof IceParametersSchema>, IceParameters>;

export interface OpenNegotiation {
  readonly sessionId: string;
  readonly offerSdp: string;
  /** By mid; sections that are not in it are rejected. */
  readonly sections: ReadonlyMap<string, SectionUse>;
  /** The local address of the client's connection, for the answer. */
  readonly localIp: string;
  /** Nodes that hold sessions of the room already: better, because streams need not travel. */
  readonly preferredNodes: ReadonlySet<string>;
}

export interface UpdateNegotiation {
  readonly offerSdp: string;
  readonly sections: ReadonlyMap<string, SectionUse>;
  readonly localIp: string;
  readonly nodeId: string;
  readonly memory: NegotiationMemory;
  readonly grant: SessionGrant;
}

export type SectionUse =
  | { readonly type: "publish"; readonly streamId: number }
  | {
      readonly type: "receive";
      /** The MediaStream at the client: equal for a pair, so that lips stay in sync. */
      readonly msid: string;
      readonly trackId: string;
      /** The codecs of the stream that is bound first, where that is known. */
      readonly narrowTo?: readonly CodecParameters[];
    };

export interface NegotiatedSession {
  readonly answerSdp: string;
  readonly nodeId: string;
  readonly nodeBootId: bigint;
  readonly parts: GrantPartsInit;
  readonly sections: readonly { readonly mid: string; readonly kind: MediaKind; readonly rejected: boolean }[];
  readonly memory: NegotiationMemory;
}

export type GrantPartsInit = Pick<
  Exclude<MessageInitShape<typeof SessionGrantSchema>, SessionGrant>,
  "ice" | "dtls" | "codecs" | "extensions" | "receives" | "slots"
>;
