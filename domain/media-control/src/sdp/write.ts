import type { SessionDescription } from "./description.ts";

/** Writes a session description, lines ended by CRLF. */
export function writeSdp(description: SessionDescription): string {
  throw new Error(`not yet ${description.media.length}`);
}
