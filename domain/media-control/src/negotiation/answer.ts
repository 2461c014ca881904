import type {
  IceCandidate,
  MediaSection,
  SdpDirection,
  SdpFeedback,
  SdpFmtp,
  SdpRtpmap,
  SdpTransport,
  SessionDescription,
} from "../sdp/description.ts";
import { emptyMedia, emptyTransport } from "../sdp/draft.ts";
import { hostCandidates } from "./candidates.ts";
import type { CodecGrant, DtlsGrant, IceGrant } from "./grant-parts.ts";
import type { NegotiationOptions } from "./negotiation.ts";
import { bundledMids } from "./offer-check.ts";
import { encodingNameOf } from "./offered-codecs.ts";
import type { SectionPlan } from "./section-plan.ts";

/** The answer to `offer` by what was planned, negotiated over one transport. */
export function buildAnswer(
  offer: SessionDescription,
  plans: readonly SectionPlan[],
  transport: { readonly ice: IceGrant; readonly dtls: DtlsGrant },
  options: NegotiationOptions,
): SessionDescription {
  const shared: SdpTransport = {
    iceUfrag: transport.ice.localUfrag,
    icePassword: transport.ice.localPassword,
    iceOptions: ["trickle"],
    fingerprints: [{ algorithm: "sha-256", value: options.fingerprint }],
    setup: transport.dtls.localActive ? "active" : "passive",
  };
  const accepted = plans.filter(({ rejected }) => !rejected);
  const order = bundledMids(offer);
  const bundled = order?.filter((mid) => accepted.some((plan) => plan.mid === mid));
  // RFC 8843 7.3: the answerer-tagged section is the first of the answer's group; it alone carries the candidates.
  const tag = bundled?.[0] ?? accepted[0]?.mid;
  const candidates = hostCandidates(options.candidates);
  return {
    origin: {
      username: "-",
      sessionId: options.sdpSessionId,
      sessionVersion: nextVersion(options.previous?.answer.origin.sessionVersion),
      netType: "IN",
      addressType: "IP4",
      // RFC 8828 5.2: no real address here.
      address: "0.0.0.0",
    },
    sessionName: "-",
    connection: undefined,
    bandwidths: [],
    groups: bundled === undefined ? [] : [{ semantics: "BUNDLE", mids: bundled }],
    extmapAllowMixed: offer.extmapAllowMixed,
    iceLite: true,
    transport: emptyTransport(),
    direction: undefined,
    otherAttributes: [{ name: "msid-semantic", value: "WMS *" }],
    media: plans.map((plan) =>
      plan.rejected ? rejectedSection(plan, shared) : acceptedSection(plan, shared, plan.mid === tag ? candidates : []),
    ),
  };
}

/** RFC 8829 5.3.2: every answer of a session counts one on. */
function nextVersion(previous: string | undefined): string {
  return previous === undefined ? "1" : String(BigInt(previous) + 1n);
}

/** RFC 8829 5.3.1: port 0; formats must be there and mean nothing. GStreamer wants a fingerprint even so. */
function rejectedSection(plan: SectionPlan, transport: SdpTransport): MediaSection {
  const { kind, protocol, formats, mid } = plan.offered;
  return {
    ...emptyMedia(kind, 0, protocol, [...formats]),
    connection: "IN IP4 0.0.0.0",
    mid,
    direction: "inactive",
    transport: { ...emptyTransport(), fingerprints: transport.fingerprints, setup: transport.setup },
  };
}

function acceptedSection(
  plan: SectionPlan,
  transport: SdpTransport,
  candidates: readonly IceCandidate[],
): MediaSection {
  const { offered, codecs } = plan;
  const formats = codecs.flatMap(({ payloadType, rtxPayloadType }) =>
    rtxPayloadType === 0 ? [payloadType] : [payloadType, rtxPayloadType],
  );
  const simulcast =
    plan.rids.length === 0 ? undefined : { send: [], recv: plan.rids.map((rid) => [{ rid, paused: false }]) };
  return {
    ...emptyMedia(offered.kind, 9, offered.protocol, formats.map(String)),
    connection: "IN IP4 0.0.0.0",
    mid: offered.mid,
    direction: answerDirection(plan),
    transport,
    candidates,
    endOfCandidates: candidates.length > 0,
    rtcpMux: true,
    rtcpReducedSize: offered.rtcpReducedSize,
    extmapAllowMixed: offered.extmapAllowMixed,
    extmaps: plan.extensions.map(({ id, uri, direction }) => ({
      id,
      uri,
      direction: direction && reversed(direction),
      parameters: undefined,
    })),
    ...codecLines(codecs, offered),
    rids: plan.rids.map((id) => ({ id, direction: "recv", restrictions: undefined })),
    simulcast,
    ...slotLines(plan),
  };
}

export function answerDirection(plan: SectionPlan): SdpDirection {
  if (plan.receive !== undefined) return plan.slot === undefined ? "recvonly" : "sendrecv";
  return plan.slot === undefined ? "inactive" : "sendonly";
}

function reversed(direction: SdpDirection): SdpDirection {
  return direction === "sendonly" ? "recvonly" : direction === "recvonly" ? "sendonly" : direction;
}

function codecLines(
  codecs: readonly CodecGrant[],
  offered: MediaSection,
): Pick<MediaSection, "rtpmaps" | "fmtps" | "feedbacks"> {
  const rtpmaps: SdpRtpmap[] = [];
  const fmtps: SdpFmtp[] = [];
  const feedbacks: SdpFeedback[] = [];
  for (const codec of codecs) {
    const { payloadType, clockRateHz, channels, fmtp, rtxPayloadType } = codec;
    rtpmaps.push({ payloadType, encodingName: encodingNameOf(codec.codec), clockRateHz, channels });
    if (fmtp !== "") fmtps.push({ payloadType, parameters: fmtp });
    for (const value of feedbackValues(codec)) feedbacks.push({ payloadType, value });
    if (rtxPayloadType === 0) continue;
    // As offered: clients differ in whether retransmissions of Opus have channels.
    const rtx = offered.rtpmaps.find((each) => each.payloadType === rtxPayloadType);
    if (rtx !== undefined) rtpmaps.push(rtx);
    fmtps.push({ payloadType: rtxPayloadType, parameters: `apt=${payloadType}` });
  }
  return { rtpmaps, fmtps, feedbacks };
}

function feedbackValues(codec: CodecGrant): string[] {
  const values: string[] = [];
  if (codec.transportCc) values.push("transport-cc");
  if (codec.fir) values.push("ccm fir");
  if (codec.nack) values.push("nack");
  if (codec.pli) values.push("nack pli");
  return values;
}

/** a=msid names the MediaStream; a=ssrc is for those who recognise streams by SSRC (RFC 5576). */
function slotLines(plan: SectionPlan): Pick<MediaSection, "msids" | "ssrcs" | "ssrcGroups"> {
  if (plan.slot === undefined || plan.slotIdentity === undefined) return { msids: [], ssrcs: [], ssrcGroups: [] };
  const { msid, trackId, ssrc, rtxSsrc } = plan.slotIdentity;
  const ssrcs = rtxSsrc === 0 ? [ssrc] : [ssrc, rtxSsrc];
  return {
    msids: [{ stream: msid, track: trackId }],
    ssrcs: ssrcs.map((each) => ({ ssrc: each, attribute: "cname", value: msid })),
    ssrcGroups: rtxSsrc === 0 ? [] : [{ semantics: "FID", ssrcs }],
  };
}
