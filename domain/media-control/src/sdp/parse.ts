import type { Result } from "@parley/foundation";
import type { SdpError, SdpLimits, SessionDescription } from "./description.ts";

/** Generous for a conference with hundreds of slots, far below what hurts: about 20 lines a section. */
export const DEFAULT_SDP_LIMITS: SdpLimits = {
  maxBytes: 512 * 1024,
  maxLines: 8000,
  maxLineLength: 2048,
  maxSections: 256,
};

/**
 * Reads a session description. Strict where a wrong reading would hurt (numbers, limits, control characters), lenient about what is unknown.
 */
export function parseSdp(text: string, limits: SdpLimits = DEFAULT_SDP_LIMITS): Result<SessionDescription, SdpError> {
  throw new Error(`not yet ${text.length} ${limits.maxLines}`);
}
