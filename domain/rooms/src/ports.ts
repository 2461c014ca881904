import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Random, Result } from "@parley/foundation";
import type {
  CodecParameters,
  IceParameters,
  IceParametersSchema,
  MediaKind,
  ParleyError,
  SessionGrant,
  SessionGrantSchema,
} from "@parley/protocol";
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
}

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
  readonly memory: Uint8Array;
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
  /** What the negotiator wants to see again at the next offer; only it looks inside. It travels with the grant, so it is small. */
  readonly memory: Uint8Array;
}

export type GrantPartsInit = Pick<
  Exclude<MessageInitShape<typeof SessionGrantSchema>, SessionGrant>,
  "ice" | "dtls" | "codecs" | "extensions" | "receives" | "slots"
>;
