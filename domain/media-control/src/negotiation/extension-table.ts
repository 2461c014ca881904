import { HeaderExtension } from "@parley/protocol";

/** URIs of the header extensions that Parley forwards; all others are not negotiated. */
const URIS: readonly (readonly [string, HeaderExtension])[] = [
  ["urn:ietf:params:rtp-hdrext:sdes:mid", HeaderExtension.MID],
  ["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", HeaderExtension.RID],
  ["urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", HeaderExtension.REPAIRED_RID],
  ["http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", HeaderExtension.TRANSPORT_CC],
  ["http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", HeaderExtension.ABS_SEND_TIME],
  ["urn:ietf:params:rtp-hdrext:ssrc-audio-level", HeaderExtension.AUDIO_LEVEL],
  ["urn:3gpp:video-orientation", HeaderExtension.VIDEO_ORIENTATION],
  ["http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", HeaderExtension.PLAYOUT_DELAY],
  ["http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time", HeaderExtension.ABS_CAPTURE_TIME],
  [
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    HeaderExtension.DEPENDENCY_DESCRIPTOR,
  ],
  ["http://www.webrtc.org/experiments/rtp-hdrext/video-content-type", HeaderExtension.VIDEO_CONTENT_TYPE],
  ["http://www.webrtc.org/experiments/rtp-hdrext/video-timing", HeaderExtension.VIDEO_TIMING],
];

const BY_URI: ReadonlyMap<string, HeaderExtension> = new Map(URIS);

export function headerExtensionOf(uri: string): HeaderExtension | undefined {
  return BY_URI.get(uri);
}

/**
 * The highest id of a one-byte header (RFC 8285 4.2). Browsers give higher ones only when they run out; what has one is
 * not negotiated, so that a forwarded packet never needs the two-byte form for its ids.
 */
export const MAX_EXTENSION_ID = 14;
