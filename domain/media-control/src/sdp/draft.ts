import type { MediaSection, SdpTransport, SessionDescription } from "./description.ts";

/** A description while it is being read: the same shape, writable. */
type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

export type TransportDraft = Writable<SdpTransport>;
export type MediaDraft = Omit<Writable<MediaSection>, "transport"> & { transport: TransportDraft };
export type SessionDraft = Omit<Writable<SessionDescription>, "transport" | "media"> & {
  transport: TransportDraft;
  media: MediaDraft[];
};

export function emptyTransport(): TransportDraft {
  return { iceUfrag: undefined, icePassword: undefined, iceOptions: [], fingerprints: [], setup: undefined };
}

export function emptySession(): SessionDraft {
  return {
    origin: {
      username: "-",
      sessionId: "0",
      sessionVersion: "0",
      netType: "IN",
      addressType: "IP4",
      address: "0.0.0.0",
    },
    sessionName: "-",
    connection: undefined,
    bandwidths: [],
    groups: [],
    extmapAllowMixed: false,
    iceLite: false,
    transport: emptyTransport(),
    direction: undefined,
    otherAttributes: [],
    media: [],
  };
}

export function emptyMedia(kind: string, port: number, protocol: string, formats: string[]): MediaDraft {
  return {
    kind,
    port,
    protocol,
    formats,
    title: undefined,
    connection: undefined,
    bandwidths: [],
    mid: undefined,
    direction: undefined,
    transport: emptyTransport(),
    candidates: [],
    endOfCandidates: false,
    rtcp: undefined,
    rtcpMux: false,
    rtcpMuxOnly: false,
    rtcpReducedSize: false,
    bundleOnly: false,
    extmapAllowMixed: false,
    extmaps: [],
    rtpmaps: [],
    fmtps: [],
    feedbacks: [],
    msids: [],
    ssrcs: [],
    ssrcGroups: [],
    rids: [],
    simulcast: undefined,
    otherAttributes: [],
  };
}
