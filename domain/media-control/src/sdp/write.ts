import type {
  MediaSection,
  SdpAttribute,
  SdpBandwidth,
  SdpSimulcast,
  SdpSimulcastRid,
  SessionDescription,
} from "./description.ts";
import { writeCandidate } from "./candidate.ts";
import { transportLines } from "./transport-attributes.ts";

/** Writes a session description, each line ended by CRLF. */
export function writeSdp(description: SessionDescription): string {
  const lines: string[] = [];
  for (const line of sessionLines(description)) lines.push(line);
  for (const media of description.media) for (const line of mediaLines(media)) lines.push(line);
  return lines.join("\r\n") + "\r\n";
}

function* sessionLines(session: SessionDescription): Generator<string> {
  const { username, sessionId, sessionVersion, netType, addressType, address } = session.origin;
  yield "v=0";
  yield `o=${username} ${sessionId} ${sessionVersion} ${netType} ${addressType} ${address}`;
  yield `s=${session.sessionName}`;
  if (session.connection !== undefined) yield `c=${session.connection}`;
  yield* bandwidthLines(session.bandwidths);
  yield "t=0 0";
  for (const group of session.groups) yield `a=group:${[group.semantics, ...group.mids].join(" ")}`;
  if (session.iceLite) yield "a=ice-lite";
  if (session.extmapAllowMixed) yield "a=extmap-allow-mixed";
  yield* transportLines(session.transport);
  if (session.direction !== undefined) yield `a=${session.direction}`;
  yield* attributeLines(session.otherAttributes);
}

function* mediaLines(media: MediaSection): Generator<string> {
  yield `m=${media.kind} ${media.port} ${media.protocol} ${media.formats.join(" ")}`;
  if (media.title !== undefined) yield `i=${media.title}`;
  if (media.connection !== undefined) yield `c=${media.connection}`;
  yield* bandwidthLines(media.bandwidths);
  if (media.rtcp !== undefined) yield `a=rtcp:${media.rtcp}`;
  for (const candidate of media.candidates) yield `a=candidate:${writeCandidate(candidate)}`;
  if (media.endOfCandidates) yield "a=end-of-candidates";
  yield* transportLines(media.transport);
  if (media.mid !== undefined) yield `a=mid:${media.mid}`;
  if (media.extmapAllowMixed) yield "a=extmap-allow-mixed";
  for (const { id, direction, uri, parameters } of media.extmaps) {
    const head = direction === undefined ? `${id}` : `${id}/${direction}`;
    yield `a=extmap:${head} ${uri}${parameters === undefined ? "" : ` ${parameters}`}`;
  }
  if (media.direction !== undefined) yield `a=${media.direction}`;
  for (const { stream, track } of media.msids) yield `a=msid:${stream}${track === undefined ? "" : ` ${track}`}`;
  if (media.bundleOnly) yield "a=bundle-only";
  if (media.rtcpMux) yield "a=rtcp-mux";
  if (media.rtcpMuxOnly) yield "a=rtcp-mux-only";
  if (media.rtcpReducedSize) yield "a=rtcp-rsize";
  yield* codecLines(media);
  yield* streamLines(media);
  yield* attributeLines(media.otherAttributes);
}

/** Feedback and parameters stand beside their rtpmap, as readers expect them; what belongs to none comes last. */
function* codecLines(media: MediaSection): Generator<string> {
  const written = new Set<number>();
  for (const { payloadType, encodingName, clockRateHz, channels } of media.rtpmaps) {
    yield `a=rtpmap:${payloadType} ${encodingName}/${clockRateHz}${channels === 1 ? "" : `/${channels}`}`;
    if (written.has(payloadType)) continue;
    written.add(payloadType);
    for (const feedback of media.feedbacks) {
      if (feedback.payloadType === payloadType) yield `a=rtcp-fb:${payloadType} ${feedback.value}`;
    }
    for (const fmtp of media.fmtps)
      if (fmtp.payloadType === payloadType) yield `a=fmtp:${payloadType} ${fmtp.parameters}`;
  }
  for (const { payloadType, value } of media.feedbacks) {
    if (payloadType === "*" || !written.has(payloadType)) yield `a=rtcp-fb:${payloadType} ${value}`;
  }
  for (const { payloadType, parameters } of media.fmtps) {
    if (!written.has(payloadType)) yield `a=fmtp:${payloadType} ${parameters}`;
  }
}

function* streamLines(media: MediaSection): Generator<string> {
  for (const { id, direction, restrictions } of media.rids) {
    yield `a=rid:${id} ${direction}${restrictions === undefined ? "" : ` ${restrictions}`}`;
  }
  if (media.simulcast !== undefined) yield `a=simulcast:${writeSimulcast(media.simulcast)}`;
  for (const { semantics, ssrcs } of media.ssrcGroups) yield `a=ssrc-group:${semantics} ${ssrcs.join(" ")}`;
  for (const { ssrc, attribute, value } of media.ssrcs) {
    yield `a=ssrc:${ssrc} ${attribute}${value === undefined ? "" : `:${value}`}`;
  }
}

function writeSimulcast(simulcast: SdpSimulcast): string {
  const list = (streams: readonly (readonly SdpSimulcastRid[])[]): string =>
    streams
      .map((alternatives) => alternatives.map(({ rid, paused }) => (paused ? `~${rid}` : rid)).join(","))
      .join(";");
  const parts: string[] = [];
  if (simulcast.send.length > 0) parts.push(`send ${list(simulcast.send)}`);
  if (simulcast.recv.length > 0) parts.push(`recv ${list(simulcast.recv)}`);
  return parts.join(" ");
}

function* bandwidthLines(bandwidths: readonly SdpBandwidth[]): Generator<string> {
  for (const { type, value } of bandwidths) yield `b=${type}:${value}`;
}

export function* attributeLines(attributes: readonly SdpAttribute[]): Generator<string> {
  for (const { name, value } of attributes) yield value === undefined ? `a=${name}` : `a=${name}:${value}`;
}
