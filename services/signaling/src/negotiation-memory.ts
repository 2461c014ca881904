import type { GrantParts, Negotiated, NegotiatedSection, SessionDescription } from "@parley/domain-media-control";
import type { Result } from "@parley/foundation";

/** What is kept of a negotiation besides the grant, so that another process can answer the session's next offer. */
interface Kept {
  readonly answerSdp: string;
  readonly sections: readonly NegotiatedSection[];
}

export function writeMemory({ answerSdp, sections }: Negotiated): Uint8Array {
  const kept: Kept = { answerSdp, sections };
  return new TextEncoder().encode(JSON.stringify(kept));
}

/** Undefined: not what `writeMemory` wrote (another version did). */
export function readMemory(
  bytes: Uint8Array,
  grant: GrantParts,
  parse: (sdp: string) => Result<SessionDescription, unknown>,
): Negotiated | undefined {
  try {
    const { answerSdp, sections } = JSON.parse(new TextDecoder().decode(bytes)) as Kept;
    const answer = parse(answerSdp);
    if (!answer.ok || !Array.isArray(sections)) return undefined;
    return { answerSdp, answer: answer.value, grant, sections, iceRestart: false };
  } catch {
    return undefined;
  }
}
