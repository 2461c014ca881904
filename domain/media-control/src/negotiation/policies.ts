import { MediaKind } from "@parley/protocol";
import type { CodecGrant } from "./grant-parts.ts";
import type { OfferedSection, SectionDecision } from "./negotiation.ts";

/** A publisher (WHIP): every section the client can send in is taken for the stream, all others are rejected. */
export function publisherDecides(streamId: number): (section: OfferedSection) => SectionDecision {
  return ({ direction }) =>
    direction === "sendonly" || direction === "sendrecv" ? { receive: { streamId } } : { reject: true };
}

/**
 * A viewer (WHEP, or a subscribing session): every section the client can receive in becomes a slot, all others are rejected. The k-th audio and
 * the k-th video slot share a MediaStream named `prefix` and k, so that they are played in sync.
 */
export function subscriberDecides(
  prefix: string,
  narrowTo?: (section: OfferedSection) => readonly CodecGrant[] | undefined,
): (section: OfferedSection) => SectionDecision {
  return (section) => {
    const { direction, kind, receiverIndex } = section;
    if (direction !== "recvonly" && direction !== "sendrecv") return { reject: true };
    const msid = `${prefix}${receiverIndex}`;
    const trackId = `${msid}-${kind === MediaKind.AUDIO ? "audio" : "video"}`;
    const codecs = narrowTo?.(section);
    return { slot: codecs === undefined ? { msid, trackId } : { msid, trackId, narrowTo: codecs } };
  };
}
