/**
 * A session description as WebRTC uses it (RFC 8866, RFC 8829). What Parley understands is typed; every other attribute is kept in
 * `otherAttributes` in its order, so that reading and writing loses nothing but the order of unlike attributes.
 */
export interface SessionDescription {
  readonly origin: SdpOrigin;
  readonly sessionName: string;
  readonly connection: string | undefined;
  readonly bandwidths: readonly SdpBandwidth[];
  /** a=group: BUNDLE (RFC 8843) and LS; identification tags are mids. */
  readonly groups: readonly SdpGroup[];
  readonly extmapAllowMixed: boolean;
  readonly iceLite: boolean;
  readonly transport: SdpTransport;
  readonly direction: SdpDirection | undefined;
  readonly otherAttributes: readonly SdpAttribute[];
  readonly media: readonly MediaSection[];
}

export interface SdpOrigin {
  readonly username: string;
  /** Decimal digits: 64 bits do not fit a number. */
  readonly sessionId: string;
  readonly sessionVersion: string;
  readonly netType: string;
  readonly addressType: string;
  readonly address: string;
}

export interface SdpBandwidth {
  readonly type: string;
  readonly value: number;
}

export interface SdpGroup {
  readonly semantics: string;
  readonly mids: readonly string[];
}

/** What may stand at session or at media level: ICE (RFC 8839) and DTLS (RFC 8842). */
export interface SdpTransport {
  readonly iceUfrag: string | undefined;
  readonly icePassword: string | undefined;
  readonly iceOptions: readonly string[];
  readonly fingerprints: readonly SdpFingerprint[];
  readonly setup: SdpSetup | undefined;
}

export type SdpSetup = "actpass" | "active" | "passive" | "holdconn";
export type SdpDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface SdpFingerprint {
  /** Lower case. */
  readonly algorithm: string;
  readonly value: Uint8Array;
}

export interface SdpAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

export interface MediaSection {
  /** "audio", "video", "application" or something unknown. */
  readonly kind: string;
  readonly port: number;
  /** Such as "UDP/TLS/RTP/SAVPF". */
  readonly protocol: string;
  /** Payload types, or what stands there for other protocols. */
  readonly formats: readonly string[];
  readonly title: string | undefined;
  readonly connection: string | undefined;
  readonly bandwidths: readonly SdpBandwidth[];
  readonly mid: string | undefined;
  readonly direction: SdpDirection | undefined;
  readonly transport: SdpTransport;
  readonly candidates: readonly IceCandidate[];
  readonly endOfCandidates: boolean;
  readonly rtcp: string | undefined;
  readonly rtcpMux: boolean;
  readonly rtcpMuxOnly: boolean;
  readonly rtcpReducedSize: boolean;
  readonly bundleOnly: boolean;
  readonly extmapAllowMixed: boolean;
  readonly extmaps: readonly SdpExtmap[];
  readonly rtpmaps: readonly SdpRtpmap[];
  readonly fmtps: readonly SdpFmtp[];
  readonly feedbacks: readonly SdpFeedback[];
  readonly msids: readonly SdpMsid[];
  readonly ssrcs: readonly SdpSsrcAttribute[];
  readonly ssrcGroups: readonly SdpSsrcGroup[];
  readonly rids: readonly SdpRid[];
  readonly simulcast: SdpSimulcast | undefined;
  readonly otherAttributes: readonly SdpAttribute[];
}

/** a=candidate (RFC 8839 5.1). */
export interface IceCandidate {
  readonly foundation: string;
  readonly component: number;
  /** Lower case. */
  readonly transport: string;
  readonly priority: number;
  /** An address, or a name (mDNS). */
  readonly address: string;
  readonly port: number;
  readonly type: string;
  readonly relatedAddress: string | undefined;
  readonly relatedPort: number | undefined;
  /** RFC 6544. */
  readonly tcpType: string | undefined;
  /** Pairs of name and value after those. */
  readonly extensions: readonly SdpAttribute[];
}

/** a=extmap (RFC 8285). */
export interface SdpExtmap {
  readonly id: number;
  readonly direction: SdpDirection | undefined;
  readonly uri: string;
  readonly parameters: string | undefined;
}

export interface SdpRtpmap {
  readonly payloadType: number;
  /** As written; compare without case. */
  readonly encodingName: string;
  readonly clockRateHz: number;
  /** 1 when absent. */
  readonly channels: number;
}

export interface SdpFmtp {
  readonly payloadType: number;
  readonly parameters: string;
}

/** a=rtcp-fb (RFC 4585); payload type "*": all of the section. */
export interface SdpFeedback {
  readonly payloadType: number | "*";
  /** Such as "nack", "nack pli", "ccm fir", "transport-cc". */
  readonly value: string;
}

/** a=msid (RFC 8830). Stream "-": no stream. */
export interface SdpMsid {
  readonly stream: string;
  readonly track: string | undefined;
}

/** a=ssrc (RFC 5576). */
export interface SdpSsrcAttribute {
  readonly ssrc: number;
  readonly attribute: string;
  readonly value: string | undefined;
}

export interface SdpSsrcGroup {
  /** "FID", "SIM", "FEC-FR". */
  readonly semantics: string;
  readonly ssrcs: readonly number[];
}

/** a=rid (RFC 8851). */
export interface SdpRid {
  readonly id: string;
  readonly direction: "send" | "recv";
  /** The rest of the line: "pt=96;max-width=1280". */
  readonly restrictions: string | undefined;
}

/** a=simulcast (RFC 8853). Alternatives of one stream in an inner list. */
export interface SdpSimulcast {
  readonly send: readonly (readonly SdpSimulcastRid[])[];
  readonly recv: readonly (readonly SdpSimulcastRid[])[];
}

export interface SdpSimulcastRid {
  readonly rid: string;
  readonly paused: boolean;
}

/** Bounds of what is parsed; beyond them the text is refused as a whole. */
export interface SdpLimits {
  readonly maxBytes: number;
  readonly maxLines: number;
  readonly maxLineLength: number;
  readonly maxSections: number;
}

export type SdpErrorCode =
  | "too-large"
  | "too-many-lines"
  | "line-too-long"
  | "too-many-sections"
  /** A line that is no `x=...`, or a control character in it. */
  | "malformed-line"
  /** No v=, o=, s= or t= where they must be. */
  | "malformed-session"
  /** A line Parley must understand has a wrong value; `line` tells which. */
  | "malformed-attribute";

export interface SdpError {
  readonly code: SdpErrorCode;
  /** From 1; 0: the text as a whole. */
  readonly line: number;
  readonly message: string;
}
