import type { Codec, MediaKind } from "@parley/protocol";
import type { Random } from "@parley/foundation";
import type { SdpDirection, SdpError, SdpLimits, SdpMsid, SessionDescription } from "../sdp/description.ts";
import type { CodecGrant, GrantParts } from "./grant-parts.ts";

/**
 * Everything that decides an answer. The media node takes no part in it: its fingerprint and addresses come from its announcement.
 */
export interface NegotiationOptions {
  /** What to do with a media section that is new, or whose direction changed. Sections that are rejected by the rules are not asked for. */
  readonly decide: (section: OfferedSection) => SectionDecision;
  /** Local credentials for a new session, or for an ICE restart: `mintIceCredentials`. Called at most once. */
  readonly newIceCredentials: () => IceCredentials;
  /** Draws the SSRCs of slots. */
  readonly random: Random;
  /** SHA-256 of the node's certificate. */
  readonly fingerprint: Uint8Array;
  readonly candidates: readonly CandidateAddress[];
  /** The session's o= id: decimal digits, below 2^63. */
  readonly sdpSessionId: string;
  /** What came out last time, with the grant as it is now (bindings, pauses): makes this a renegotiation. */
  readonly previous?: EarlierNegotiation;
  /** Our role when the client leaves the choice (actpass). Default passive: the client sends the ClientHello. */
  readonly dtlsRole?: "passive" | "active";
  readonly codecs?: CodecPolicy;
  readonly limits?: SdpLimits;
}

/** An address for an answer; port 0: not by this protocol. */
export interface CandidateAddress {
  readonly ip: string;
  readonly udpPort: number;
  readonly tcpPort: number;
}

export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

export interface CodecPolicy {
  /** Codecs that may be negotiated. Default: all that Parley forwards. */
  readonly allowed?: readonly Codec[];
  /** Put in front, in this order, of what a publisher offers: it sends the first. Default: the client's own order. */
  readonly preferred?: readonly Codec[];
  /**
   * How many simulcast layers of an offer are accepted. 1 (default): none, the client then sends one encoding.
   */
  readonly maxSimulcastLayers?: number;
  /** Ask publishers for stereo Opus. Default: only when they say that they have it (sprop-stereo). */
  readonly opusStereo?: boolean;
  /** Ask publishers for Opus with discontinuous transmission. Default: as offered. */
  readonly opusDtx?: boolean;
}

/** A media section of an offer that could be accepted. */
export interface OfferedSection {
  readonly index: number;
  readonly mid: string;
  readonly kind: MediaKind;
  readonly direction: SdpDirection;
  readonly msids: readonly SdpMsid[];
  /** Which one it is, from 0, among the sections of its kind that the client can receive in: pairs audio with video. */
  readonly receiverIndex: number;
}

/**
 * `receive`: the client publishes here. `slot`: the client is sent something here. Both at once is possible in a sendrecv section.
 * Neither: the section is answered inactive when it may come back, rejected (port 0) with `reject`.
 */
export interface SectionDecision {
  readonly receive?: { readonly streamId: number };
  readonly slot?: SlotDecision;
  readonly reject?: boolean;
}

export interface SlotDecision {
  /** The MediaStream at the client: equal in an audio and a video slot that belong together, so that they are played in sync. */
  readonly msid: string;
  readonly trackId: string;
  /** Only codecs this publisher's codecs can be forwarded to; absent, or when nothing would be left: all. */
  readonly narrowTo?: readonly CodecGrant[];
}

export interface Negotiated {
  readonly answerSdp: string;
  readonly answer: SessionDescription;
  readonly grant: GrantParts;
  /** In the order of the offer; one for each media section. */
  readonly sections: readonly NegotiatedSection[];
  /** The offer had new ICE credentials. */
  readonly iceRestart: boolean;
}

/** What a renegotiation has to know of the one before: a {@link Negotiated} fits, and so does the little that is worth keeping of it. */
export interface EarlierNegotiation extends Pick<Negotiated, "grant" | "sections"> {
  readonly answer: { readonly origin: Pick<SessionDescription["origin"], "sessionId" | "sessionVersion"> };
}

export interface NegotiatedSection {
  /** Empty for a rejected section that has none. */
  readonly mid: string;
  readonly kind: "audio" | "video" | "other";
  readonly direction: SdpDirection;
  readonly rejected: boolean;
  /** Of the client. */
  readonly offeredDirection: SdpDirection;
  /** Kept while the section is inactive, so that a slot which comes back is the same one. */
  readonly slot: SlotIdentity | undefined;
}

export interface SlotIdentity {
  readonly msid: string;
  readonly trackId: string;
  readonly ssrc: number;
  readonly rtxSsrc: number;
}

export type NegotiationErrorCode =
  /** `sdp` tells what. */
  | "sdp"
  | "no-media"
  | "bundle-required"
  | "rtcp-mux-required"
  | "mid-missing"
  | "duplicate-mid"
  | "ice-missing"
  | "ice-lite-peer"
  | "fingerprint-missing"
  | "setup-invalid"
  /** The same payload type means two things. */
  | "payload-type-conflict"
  /** No audio or video section, or all rejected by `decide`. */
  | "nothing-acceptable"
  /** There are sections that could be accepted but for their codecs. */
  | "no-common-codec"
  /** A renegotiation with another certificate: that would be another DTLS association, so another session. */
  | "fingerprint-changed"
  /** A renegotiation that took away or reordered media sections. */
  | "section-mismatch";

export interface NegotiationError {
  readonly code: NegotiationErrorCode;
  /** For people; not an API. */
  readonly message: string;
  readonly mid?: string;
  readonly sdp?: SdpError;
}
