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
  sessionLines(lines, description);
  for (const media of description.media) mediaLines(lines, media);
  return lines.join("\r\n") + "\r\n";
}

function sessionLines(out: string[], session: SessionDescription): void {
  const { username, sessionId, sessionVersion, netType, addressType, address } = session.origin;
  out.push("v=0");
  out.push(`o=${username} ${sessionId} ${sessionVersion} ${netType} ${addressType} ${address}`);
  out.push(`s=${session.sessionName}`);
  if (session.connection !== undefined) out.push(`c=${session.connection}`);
  bandwidthLines(out, session.bandwidths);
  out.push("t=0 0");
  for (const group of session.groups) out.push(`a=group:${[group.semantics, ...group.mids].join(" ")}`);
  if (session.iceLite) out.push("a=ice-lite");
  if (session.extmapAllowMixed) out.push("a=extmap-allow-mixed");
  transportLines(out, session.transport);
  if (session.direction !== undefined) out.push(`a=${session.direction}`);
  attributeLines(out, session.otherAttributes);
}

function mediaLines(out: string[], media: MediaSection): void {
  out.push(`m=${media.kind} ${media.port} ${media.protocol} ${media.formats.join(" ")}`);
  if (media.title !== undefined) out.push(`i=${media.title}`);
  if (media.connection !== undefined) out.push(`c=${media.connection}`);
  bandwidthLines(out, media.bandwidths);
  if (media.rtcp !== undefined) out.push(`a=rtcp:${media.rtcp}`);
  for (const candidate of media.candidates) out.push(`a=candidate:${writeCandidate(candidate)}`);
  if (media.endOfCandidates) out.push("a=end-of-candidates");
  transportLines(out, media.transport);
  if (media.mid !== undefined) out.push(`a=mid:${media.mid}`);
  if (media.extmapAllowMixed) out.push("a=extmap-allow-mixed");
  for (const { id, direction, uri, parameters } of media.extmaps) {
    const head = direction === undefined ? `${id}` : `${id}/${direction}`;
    out.push(`a=extmap:${head} ${uri}${parameters === undefined ? "" : ` ${parameters}`}`);
  }
  if (media.direction !== undefined) out.push(`a=${media.direction}`);
  for (const { stream, track } of media.msids) out.push(`a=msid:${stream}${track === undefined ? "" : ` ${track}`}`);
  if (media.bundleOnly) out.push("a=bundle-only");
  if (media.rtcpMux) out.push("a=rtcp-mux");
  if (media.rtcpMuxOnly) out.push("a=rtcp-mux-only");
  if (media.rtcpReducedSize) out.push("a=rtcp-rsize");
  codecLines(out, media);
  streamLines(out, media);
  attributeLines(out, media.otherAttributes);
}

/** Feedback and parameters stand beside their rtpmap, as readers expect them; what belongs to none comes last. */
function codecLines(out: string[], media: MediaSection): void {
  const written = new Set<number>();
  for (const { payloadType, encodingName, clockRateHz, channels } of media.rtpmaps) {
    out.push(`a=rtpmap:${payloadType} ${encodingName}/${clockRateHz}${channels === 1 ? "" : `/${channels}`}`);
    if (written.has(payloadType)) continue;
    written.add(payloadType);
    for (const feedback of media.feedbacks) {
      if (feedback.payloadType === payloadType) out.push(`a=rtcp-fb:${payloadType} ${feedback.value}`);
    }
    for (const fmtp of media.fmtps)
      if (fmtp.payloadType === payloadType) out.push(`a=fmtp:${payloadType} ${fmtp.parameters}`);
  }
  for (const { payloadType, value } of media.feedbacks) {
    if (payloadType === "*" || !written.has(payloadType)) out.push(`a=rtcp-fb:${payloadType} ${value}`);
  }
  for (const { payloadType, parameters } of media.fmtps) {
    if (!written.has(payloadType)) out.push(`a=fmtp:${payloadType} ${parameters}`);
  }
}

function streamLines(out: string[], media: MediaSection): void {
  for (const { id, direction, restrictions } of media.rids) {
    out.push(`a=rid:${id} ${direction}${restrictions === undefined ? "" : ` ${restrictions}`}`);
  }
  if (media.simulcast !== undefined) out.push(`a=simulcast:${writeSimulcast(media.simulcast)}`);
  for (const { semantics, ssrcs } of media.ssrcGroups) out.push(`a=ssrc-group:${semantics} ${ssrcs.join(" ")}`);
  for (const { ssrc, attribute, value } of media.ssrcs) {
    out.push(`a=ssrc:${ssrc} ${attribute}${value === undefined ? "" : `:${value}`}`);
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

function bandwidthLines(out: string[], bandwidths: readonly SdpBandwidth[]): void {
  for (const { type, value } of bandwidths) out.push(`b=${type}:${value}`);
}

export function attributeLines(out: string[], attributes: readonly SdpAttribute[]): void {
  for (const { name, value } of attributes) out.push(value === undefined ? `a=${name}` : `a=${name}:${value}`);
}
