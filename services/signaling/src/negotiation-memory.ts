import { deflateRawSync, inflateRawSync } from "node:zlib";
import { parseSdp, type GrantParts, type Negotiated, type NegotiatedSection } from "@parley/domain-media-control";

/** What is kept of a negotiation besides the grant, to answer the session's next offer, here or in another process. */
interface Kept {
  readonly answerSdp: string;
  readonly sections: readonly NegotiatedSection[];
}

/** An answer of 8 kB becomes 1 to 2: it is kept for every session, in signaling and with the grant at the node, and hardly ever read. */
const deflateLevel = 3;
/** Against a bomb from another version's mistake. */
const maxKeptBytes = 4 * 1024 * 1024;

export function writeMemory({ answerSdp, sections }: Negotiated): Uint8Array {
  const kept: Kept = { answerSdp, sections };
  return deflateRawSync(JSON.stringify(kept), { level: deflateLevel });
}

/** Undefined: not what `writeMemory` wrote (another version did). */
export function readMemory(bytes: Uint8Array, grant: GrantParts): Negotiated | undefined {
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: maxKeptBytes }).toString("utf8");
    const { answerSdp, sections } = JSON.parse(text) as Kept;
    const answer = parseSdp(answerSdp);
    if (!answer.ok || !Array.isArray(sections)) return undefined;
    return { answerSdp, answer: answer.value, grant, sections, iceRestart: false };
  } catch {
    return undefined;
  }
}
