import type { OutgoingTrack } from "./publisher.ts";

/** Bits per second for a picture that moves as people do; where people stop seeing a gain. By pixels, 30 frames a second. */
const cameraBitrates: readonly (readonly [pixels: number, bps: number])[] = [
  [320 * 180, 160_000],
  [640 * 360, 500_000],
  [960 * 540, 900_000],
  [1280 * 720, 1_700_000],
  [1920 * 1080, 3_000_000],
];
/** Text must be sharp at once; between changes nothing is sent. */
const screenBitrateBps = 2_500_000;

/** The one encoding of a track; undefined: the browser's own. */
export function encodingFor({
  kind,
  source,
  options,
  width,
  height,
}: Pick<OutgoingTrack, "kind" | "source" | "options" | "width" | "height">): RTCRtpEncodingParameters | undefined {
  if (kind === "audio") {
    return options.audioMaxBitrateBps === undefined ? undefined : { maxBitrate: options.audioMaxBitrateBps };
  }
  if (options.videoMaxBitrateBps !== undefined) return { maxBitrate: options.videoMaxBitrateBps };
  if (source === "screen") return { maxBitrate: screenBitrateBps };
  const pixels = width * height;
  const row = cameraBitrates.find(([upTo]) => pixels <= upTo) ?? cameraBitrates.at(-1);
  return row === undefined || pixels === 0 ? undefined : { maxBitrate: row[1] };
}

/** Puts a codec first; the others stay, so that a negotiation never fails for it, unless `only`. */
export function preferCodec(transceiver: RTCRtpTransceiver, codec: string, only: boolean): void {
  const all = globalThis.RTCRtpSender?.getCapabilities?.("video")?.codecs;
  if (all === undefined || typeof transceiver.setCodecPreferences !== "function") return;
  const wanted = `video/${codec}`.toLowerCase();
  const isWanted = ({ mimeType }: { readonly mimeType: string }): boolean => mimeType.toLowerCase() === wanted;
  const wantedOnes = all.filter(isWanted);
  if (wantedOnes.length === 0) return;
  const others = all.filter((one) => !isWanted(one) && (!only || one.mimeType.toLowerCase() === "video/rtx"));
  transceiver.setCodecPreferences([...wantedOnes, ...others]);
}

/** Profiles that no sender of ours uses only make every offer larger: 60 sections would not fit into a frame. */
export function trimReceiveCodecs(transceiver: RTCRtpTransceiver, kind: "audio" | "video"): void {
  const all = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs;
  if (all === undefined || typeof transceiver.setCodecPreferences !== "function") return;
  const kept = kind === "audio" ? all.filter(isUsefulAudio) : all.filter(isUsefulVideo);
  if (kept.length > 0) transceiver.setCodecPreferences(kept);
}

interface Codec {
  readonly mimeType: string;
  readonly sdpFmtpLine?: string;
}

function isUsefulAudio({ mimeType }: Codec): boolean {
  return ["audio/opus", "audio/red"].includes(mimeType.toLowerCase());
}

function isUsefulVideo({ mimeType, sdpFmtpLine = "" }: Codec): boolean {
  switch (mimeType.toLowerCase()) {
    case "video/vp8":
    case "video/rtx":
    case "video/h265":
      return true;
    case "video/vp9":
      return !/profile-id=[123]/.test(sdpFmtpLine);
    case "video/av1":
      return !/profile=[12]/.test(sdpFmtpLine);
    case "video/h264":
      return sdpFmtpLine.includes("packetization-mode=1") && /profile-level-id=(42|64)/i.test(sdpFmtpLine);
    default:
      return false;
  }
}
