import type { CodecGrant } from "./grant-parts.ts";
import type { PayloadTypeMapping } from "../ports.ts";

/** Whether packets of `from` (a publisher's) may be sent as `to` (a subscriber's): same codec, parameters the decoder must know of equal. */
export function canForward(from: CodecGrant, to: CodecGrant): boolean {
  throw new Error(`not yet ${from.payloadType} ${to.payloadType}`);
}

/**
 * For MediaPlane.bindSlot: for each of the publisher's codecs the subscriber's payload type, where there is one.
 * Empty: the slot cannot show this track.
 */
export function matchPayloadTypes(from: readonly CodecGrant[], to: readonly CodecGrant[]): PayloadTypeMapping[] {
  throw new Error(`not yet ${from.length} ${to.length}`);
}
