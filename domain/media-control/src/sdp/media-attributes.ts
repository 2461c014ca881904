import type { SdpDirection, SdpExtmap, SdpRtpmap, SdpSimulcast, SdpSimulcastRid } from "./description.ts";
import type { MediaDraft } from "./draft.ts";
import { parseCandidate } from "./candidate.ts";
import { cutAtSpace, isMid, isToken, readUnsigned } from "./tokens.ts";
import { type AttributeOutcome, takeTransportAttribute } from "./transport-attributes.ts";

export const DIRECTIONS: ReadonlySet<string> = new Set<SdpDirection>(["sendrecv", "sendonly", "recvonly", "inactive"]);

const MAX_PAYLOAD_TYPE = 127;
const MAX_SSRC = 0xffffffff;
/** RFC 8285 section 5: 4096 and above stand for "to be assigned". */
const MAX_EXTMAP_ID = 4351;

type Taker = (draft: MediaDraft, value: string) => AttributeOutcome;

/**
 * Attributes that must be right, because a misreading would go on the wire, are "malformed" when they are not. The others
 * are "unknown" then, and so kept as they came.
 */
const TAKERS = takers({
  mid: (draft, value) => {
    if (!isMid(value) || draft.mid !== undefined) return "malformed";
    draft.mid = value;
    return "ok";
  },
  rtpmap: (draft, value) => {
    const rtpmap = readRtpmap(value);
    if (rtpmap === undefined) return "malformed";
    draft.rtpmaps.push(rtpmap);
    return "ok";
  },
  fmtp: (draft, value) => {
    const [payloadTypeText, parameters] = cutAtSpace(value);
    const payloadType = readUnsigned(payloadTypeText, MAX_PAYLOAD_TYPE);
    // Formats that are no RTP payload types (a data channel's) have fmtp lines of their own.
    if (payloadType === undefined || parameters === undefined) return "unknown";
    draft.fmtps.push({ payloadType, parameters });
    return "ok";
  },
  "rtcp-fb": (draft, value) => {
    const [payloadTypeText, feedback] = cutAtSpace(value);
    const payloadType = payloadTypeText === "*" ? "*" : readUnsigned(payloadTypeText, MAX_PAYLOAD_TYPE);
    if (payloadType === undefined || feedback === undefined || feedback === "") return "unknown";
    draft.feedbacks.push({ payloadType, value: feedback.replace(/ +/g, " ") });
    return "ok";
  },
  extmap: (draft, value) => {
    const extmap = readExtmap(value);
    if (extmap === undefined) return "malformed";
    draft.extmaps.push(extmap);
    return "ok";
  },
  candidate: (draft, value) => {
    const candidate = parseCandidate(value);
    if (candidate === undefined) return "unknown";
    draft.candidates.push(candidate);
    return "ok";
  },
  msid: (draft, value) => {
    const [stream, track] = value.split(/ +/);
    if (stream === undefined || stream === "") return "unknown";
    draft.msids.push({ stream, track });
    return "ok";
  },
  ssrc: (draft, value) => {
    const [ssrcText, rest] = cutAtSpace(value);
    const ssrc = readUnsigned(ssrcText, MAX_SSRC);
    if (ssrc === undefined || rest === undefined) return "malformed";
    const colon = rest.indexOf(":");
    const attribute = colon < 0 ? rest : rest.slice(0, colon);
    draft.ssrcs.push({ ssrc, attribute, value: colon < 0 ? undefined : rest.slice(colon + 1) });
    return "ok";
  },
  "ssrc-group": (draft, value) => {
    const [semantics, ...texts] = value.split(/ +/);
    const ssrcs = texts.map((text) => readUnsigned(text, MAX_SSRC));
    if (semantics === undefined || semantics === "" || ssrcs.length === 0) return "malformed";
    if (!ssrcs.every((ssrc) => ssrc !== undefined)) return "malformed";
    draft.ssrcGroups.push({ semantics, ssrcs });
    return "ok";
  },
  rid: (draft, value) => {
    const match = /^([A-Za-z0-9_-]{1,64}) (send|recv)(?: (.+))?$/.exec(value);
    if (match === null) return "unknown";
    draft.rids.push({ id: match[1] as string, direction: match[2] as "send" | "recv", restrictions: match[3] });
    return "ok";
  },
  simulcast: (draft, value) => {
    const simulcast = readSimulcast(value);
    if (simulcast === undefined || draft.simulcast !== undefined) return "unknown";
    draft.simulcast = simulcast;
    return "ok";
  },
  rtcp: (draft, value) => {
    draft.rtcp = value;
    return "ok";
  },
});

/** A Map: looking up a name in an object makes V8 intern every name that comes. */
function takers(byName: Readonly<Record<string, Taker>>): ReadonlyMap<string, Taker> {
  return new Map(Object.entries(byName));
}

const FLAGS = new Map(
  Object.entries({
    "rtcp-mux": "rtcpMux",
    "rtcp-mux-only": "rtcpMuxOnly",
    "rtcp-rsize": "rtcpReducedSize",
    "bundle-only": "bundleOnly",
    "end-of-candidates": "endOfCandidates",
    "extmap-allow-mixed": "extmapAllowMixed",
  } as const),
);

/** Takes one a= line of a media section; `value` undefined: a flag. */
export function takeMediaAttribute(draft: MediaDraft, name: string, value: string | undefined): AttributeOutcome {
  if (value === undefined) {
    const flag = FLAGS.get(name);
    if (flag !== undefined) {
      draft[flag] = true;
      return "ok";
    }
    if (DIRECTIONS.has(name)) {
      draft.direction = name as SdpDirection;
      return "ok";
    }
    return "unknown";
  }
  const taker = TAKERS.get(name);
  if (taker !== undefined) return taker(draft, value);
  return takeTransportAttribute(draft.transport, name, value);
}

function readRtpmap(value: string): SdpRtpmap | undefined {
  const [payloadTypeText, encoding] = cutAtSpace(value);
  const payloadType = readUnsigned(payloadTypeText, MAX_PAYLOAD_TYPE);
  const [encodingName, clockRateText, channelsText] = (encoding ?? "").split("/");
  const clockRateHz = readUnsigned(clockRateText, 1_000_000);
  const channels = channelsText === undefined ? 1 : readUnsigned(channelsText, 255);
  if (payloadType === undefined || encodingName === undefined || !isToken(encodingName)) return undefined;
  if (clockRateHz === undefined || clockRateHz === 0 || channels === undefined || channels === 0) return undefined;
  return { payloadType, encodingName, clockRateHz, channels };
}

function readExtmap(value: string): SdpExtmap | undefined {
  const match = /^(\d{1,4})(?:\/(sendrecv|sendonly|recvonly|inactive))? +(\S+)(?: +(.*))?$/.exec(value);
  const id = readUnsigned(match?.[1], MAX_EXTMAP_ID);
  if (match === null || id === undefined || id === 0) return undefined;
  return {
    id,
    direction: match[2] as SdpDirection | undefined,
    uri: match[3] as string,
    parameters: match[4],
  };
}

/** RFC 8853 section 5.1: "send 1;2,~3 recv 4". */
function readSimulcast(value: string): SdpSimulcast | undefined {
  const words = value.split(/ +/);
  const lists: { send?: SdpSimulcastRid[][]; recv?: SdpSimulcastRid[][] } = {};
  for (let at = 0; at < words.length; at += 2) {
    const direction = words[at];
    const list = words[at + 1];
    if ((direction !== "send" && direction !== "recv") || list === undefined || lists[direction]) return undefined;
    const streams: SdpSimulcastRid[][] = [];
    for (const stream of list.split(";")) {
      const alternatives = stream.split(",").map((text) => ({
        rid: text.startsWith("~") ? text.slice(1) : text,
        paused: text.startsWith("~"),
      }));
      if (!alternatives.every(({ rid }) => /^[A-Za-z0-9_-]{1,64}$/.test(rid))) return undefined;
      streams.push(alternatives);
    }
    lists[direction] = streams;
  }
  return { send: lists.send ?? [], recv: lists.recv ?? [] };
}
