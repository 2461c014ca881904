import { parseSdp, type MediaSection, type SdpLimits } from "@parley/domain-media-control";
import { err, ok, type Result } from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";

/** What WHIP and WHEP need to know of an offer; the room's owner reads all of it. */
export interface Offer {
  readonly iceUfrag: string;
  readonly sections: readonly OfferSection[];
}

export interface OfferSection {
  readonly mid: string;
  readonly kind: "audio" | "video";
  readonly sends: boolean;
  readonly receives: boolean;
}

export function readOffer(sdp: string, limits: SdpLimits | undefined): Result<Offer, ParleyError> {
  const parsed = parseSdp(sdp, limits);
  if (!parsed.ok) {
    const name = parsed.error.code === "too-many-sections" ? "too-many-media-sections" : "sdp-malformed";
    return err(parleyError(name, `${parsed.error.message}.`));
  }
  const { transport, media, direction } = parsed.value;
  const sections: OfferSection[] = [];
  for (const section of media) {
    const { mid, kind } = section;
    if (mid === undefined || (kind !== "audio" && kind !== "video")) continue;
    // Port 0 is no section at all, unless it lives in its bundle only (RFC 8843 6; GStreamer offers so).
    if (section.port === 0 && !section.bundleOnly) continue;
    // RFC 8866 6.7: sendrecv is the default.
    const flow = section.direction ?? direction ?? "sendrecv";
    sections.push({
      mid,
      kind,
      sends: flow.startsWith("send"),
      receives: flow.endsWith("recv") || flow === "recvonly",
    });
  }
  return ok({ iceUfrag: transport.iceUfrag ?? firstUfrag(media), sections });
}

function firstUfrag(media: readonly MediaSection[]): string {
  return media.find((section) => section.transport.iceUfrag !== undefined)?.transport.iceUfrag ?? "";
}
