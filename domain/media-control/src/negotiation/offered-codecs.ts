import { Codec } from "@parley/protocol";
import type { MediaSection, SdpRtpmap } from "../sdp/description.ts";
import type { CodecGrant } from "./grant-parts.ts";
import { parseFmtp } from "../sdp/fmtp.ts";
import { h264Profile } from "./h264-profile.ts";

interface Encoding {
  readonly codec: Codec;
  readonly kind: "audio" | "video";
  readonly clockRateHz: number;
  readonly channels: number;
}

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  opus: { codec: Codec.OPUS, kind: "audio", clockRateHz: 48000, channels: 2 },
  red: { codec: Codec.RED, kind: "audio", clockRateHz: 48000, channels: 2 },
  vp8: { codec: Codec.VP8, kind: "video", clockRateHz: 90000, channels: 1 },
  vp9: { codec: Codec.VP9, kind: "video", clockRateHz: 90000, channels: 1 },
  h264: { codec: Codec.H264, kind: "video", clockRateHz: 90000, channels: 1 },
  h265: { codec: Codec.H265, kind: "video", clockRateHz: 90000, channels: 1 },
  av1: { codec: Codec.AV1, kind: "video", clockRateHz: 90000, channels: 1 },
};

/** All codecs that Parley forwards. */
export const FORWARDED_CODECS: readonly Codec[] = Object.values(ENCODINGS).map(({ codec }) => codec);

/**
 * The codecs of an offered section that Parley forwards, in the client's order, with their retransmission payload types and
 * feedback. What a section offers twice (a payload type with two rtpmaps) is read once.
 */
export function offeredCodecs(section: MediaSection, allowed: ReadonlySet<Codec>): CodecGrant[] {
  const rtpmaps = new Map<number, SdpRtpmap>();
  for (const rtpmap of section.rtpmaps) if (!rtpmaps.has(rtpmap.payloadType)) rtpmaps.set(rtpmap.payloadType, rtpmap);
  const fmtps = new Map<number, string>();
  for (const { payloadType, parameters } of section.fmtps)
    if (!fmtps.has(payloadType)) fmtps.set(payloadType, parameters);
  const rtxOf = retransmissionsOf(section, rtpmaps, fmtps);

  const codecs: CodecGrant[] = [];
  for (const format of section.formats) {
    const payloadType = Number(format);
    const rtpmap = rtpmaps.get(payloadType);
    const encoding = rtpmap && encodingOf(rtpmap, section.kind);
    if (encoding === undefined || !allowed.has(encoding.codec)) continue;
    const fmtp = fmtps.get(payloadType) ?? "";
    if (!isForwardedProfile(encoding.codec, fmtp)) continue;
    const feedback = feedbackOf(section, payloadType);
    codecs.push({
      payloadType,
      codec: encoding.codec,
      clockRateHz: encoding.clockRateHz,
      channels: encoding.channels,
      fmtp,
      rtxPayloadType: rtxOf.get(payloadType) ?? 0,
      nack: feedback.has("nack"),
      pli: feedback.has("nack pli"),
      fir: feedback.has("ccm fir"),
      transportCc: feedback.has("transport-cc"),
    });
  }
  // RED without an Opus to carry is of no use.
  return codecs.some(({ codec }) => codec !== Codec.RED) ? codecs : [];
}

/** The encoding name of a codec in a=rtpmap. */
export function encodingNameOf(codec: Codec): string {
  for (const [name, encoding] of Object.entries(ENCODINGS)) {
    if (encoding.codec === codec) return encoding.kind === "audio" ? name : name.toUpperCase();
  }
  throw new RangeError(`codec ${codec} has no name`);
}

/** RFC 4588 8.6: a=fmtp:97 apt=96. */
function retransmissionsOf(
  section: MediaSection,
  rtpmaps: ReadonlyMap<number, SdpRtpmap>,
  fmtps: ReadonlyMap<number, string>,
): ReadonlyMap<number, number> {
  const result = new Map<number, number>();
  for (const format of section.formats) {
    const payloadType = Number(format);
    if (rtpmaps.get(payloadType)?.encodingName.toLowerCase() !== "rtx") continue;
    const associated = Number(parseFmtp(fmtps.get(payloadType) ?? "").get("apt") ?? Number.NaN);
    if (payloadType > 0 && Number.isInteger(associated) && !result.has(associated)) result.set(associated, payloadType);
  }
  return result;
}

function encodingOf(rtpmap: SdpRtpmap, kind: string): Encoding | undefined {
  const name = rtpmap.encodingName.toLowerCase();
  const encoding = Object.hasOwn(ENCODINGS, name) ? ENCODINGS[name] : undefined;
  if (encoding === undefined || encoding.kind !== kind) return undefined;
  return encoding.clockRateHz === rtpmap.clockRateHz && encoding.channels === rtpmap.channels ? encoding : undefined;
}

/** VP9 profiles 1 and 3 (4:4:4) and unreadable H264 profiles are not offered to anybody. */
function isForwardedProfile(codec: Codec, fmtp: string): boolean {
  if (codec === Codec.VP9) return ["0", "2"].includes(parseFmtp(fmtp).get("profile-id") ?? "0");
  if (codec === Codec.H264) {
    const parameters = parseFmtp(fmtp);
    const mode = parameters.get("packetization-mode") ?? "0";
    return (mode === "0" || mode === "1") && h264Profile(parameters.get("profile-level-id")) !== "unknown";
  }
  return true;
}

function feedbackOf(section: MediaSection, payloadType: number): ReadonlySet<string> {
  const values = section.feedbacks.filter(
    (feedback) => feedback.payloadType === "*" || feedback.payloadType === payloadType,
  );
  return new Set(values.map(({ value }) => value.toLowerCase()));
}
