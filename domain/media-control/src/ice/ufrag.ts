import type { Random } from "@parley/foundation";
import type { IceCredentials } from "../negotiation/negotiation.ts";

/** Bytes of the site's key for ufrags. */
export const UFRAG_KEY_BYTES = 16;

/** Mints credentials whose ufrag carries a MAC (docs/specs/ice-ufrag.md). */
export function mintIceCredentials(key: Uint8Array, random: Random): IceCredentials {
  throw new Error(`not yet ${key.length} ${random.uint32()}`);
}

/** Whether the ufrag was minted with `key`. */
export function isGenuineUfrag(ufrag: string, key: Uint8Array): boolean {
  throw new Error(`not yet ${ufrag} ${key.length}`);
}
