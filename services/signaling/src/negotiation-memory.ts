import type { EarlierNegotiation, GrantParts, NegotiatedSection } from "@parley/domain-media-control";

/**
 * What is kept of a negotiation besides the grant, to answer the session's next offer, here or in another process: the origin of the answer and
 * what was agreed on each section, some 100 bytes each. It is kept for every session, in signaling and with the grant at the node, and hardly
 * ever read, so it is neither the answer itself nor compressed (which costs a join more than all of its SDP).
 */
type Kept = readonly [
  format: typeof formatOfKept,
  sessionId: string,
  sessionVersion: string,
  ...sections: readonly KeptSection[],
];

type KeptSection = readonly [
  mid: string,
  kind: NegotiatedSection["kind"],
  direction: NegotiatedSection["direction"],
  offeredDirection: NegotiatedSection["offeredDirection"],
  rejected: 0 | 1,
  ...slot: readonly [] | readonly [msid: string, trackId: string, ssrc: number, rtxSsrc: number],
];

const formatOfKept = 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function writeMemory({ answer: { origin }, sections }: EarlierNegotiation): Uint8Array {
  const kept: Kept = [
    formatOfKept,
    origin.sessionId,
    origin.sessionVersion,
    ...sections.map(({ mid, kind, direction, offeredDirection, rejected, slot }): KeptSection => {
      const section = [mid, kind, direction, offeredDirection, rejected ? 1 : 0] as const;
      return slot === undefined ? section : [...section, slot.msid, slot.trackId, slot.ssrc, slot.rtxSsrc];
    }),
  ];
  return encoder.encode(JSON.stringify(kept));
}

/** Undefined: not what `writeMemory` wrote (another version did). */
export function readMemory(bytes: Uint8Array, grant: GrantParts): EarlierNegotiation | undefined {
  try {
    const [format, sessionId, sessionVersion, ...sections] = JSON.parse(decoder.decode(bytes)) as Kept;
    if (format !== formatOfKept) return undefined;
    return { answer: { origin: { sessionId, sessionVersion } }, grant, sections: sections.map(sectionOf) };
  } catch {
    return undefined;
  }
}

function sectionOf([mid, kind, direction, offeredDirection, rejected, ...slot]: KeptSection): NegotiatedSection {
  const [msid, trackId, ssrc, rtxSsrc] = slot;
  return {
    mid,
    kind,
    direction,
    offeredDirection,
    rejected: rejected === 1,
    slot:
      msid === undefined || trackId === undefined || ssrc === undefined || rtxSsrc === undefined
        ? undefined
        : { msid, trackId, ssrc, rtxSsrc },
  };
}
