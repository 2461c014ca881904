/** What WHIP and WHEP need to know of an offer. Whoever answers it reads all of it, and refuses what is wrong. */
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

/** One more than any offer may have that is answered: what comes behind makes no difference. */
const maxSections = 257;

interface Draft {
  mid: string | undefined;
  kind: string;
  isRejected: boolean;
  isBundleOnly: boolean;
  /** RFC 8866 6.7: sendrecv is the default. */
  flow: string | undefined;
}

/**
 * Looks for the few lines that matter: reading an offer as a whole costs more than all else that this process does for a join, and signaling
 * does it anyway.
 */
export function scanOffer(sdp: string): Offer {
  let iceUfrag = "";
  let sessionFlow: string | undefined;
  const drafts: Draft[] = [];
  for (let start = 0; start < sdp.length;) {
    const newline = sdp.indexOf("\n", start);
    const next = newline < 0 ? sdp.length : newline + 1;
    const end = newline > start && sdp[newline - 1] === "\r" ? newline - 1 : newline < 0 ? sdp.length : newline;
    const draft = drafts.at(-1);
    if (sdp.startsWith("m=", start)) {
      if (drafts.length === maxSections) break;
      drafts.push(readMediaLine(sdp.slice(start + 2, end)));
    } else if (sdp.startsWith("a=mid:", start)) {
      if (draft !== undefined) draft.mid = sdp.slice(start + 6, end).trim();
    } else if (sdp.startsWith("a=ice-ufrag:", start)) {
      if (iceUfrag === "") iceUfrag = sdp.slice(start + 12, end).trim();
    } else if (sdp.startsWith("a=bundle-only", start)) {
      if (draft !== undefined) draft.isBundleOnly = true;
    } else if (isFlow(sdp, start, end)) {
      const flow = sdp.slice(start + 2, end);
      if (draft === undefined) sessionFlow = flow;
      else draft.flow = flow;
    }
    start = next;
  }
  return { iceUfrag, sections: drafts.flatMap((draft) => sectionOf(draft, sessionFlow)) };
}

function isFlow(sdp: string, start: number, end: number): boolean {
  if (end - start !== 10) return false;
  for (const line of ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"]) {
    if (sdp.startsWith(line, start)) return true;
  }
  return false;
}

function readMediaLine(value: string): Draft {
  const [kind = "", port = ""] = value.split(" ", 2);
  return { mid: undefined, kind, isRejected: Number.parseInt(port, 10) === 0, isBundleOnly: false, flow: undefined };
}

function sectionOf(
  { mid, kind, isRejected, isBundleOnly, flow }: Draft,
  sessionFlow: string | undefined,
): OfferSection[] {
  if (mid === undefined || (kind !== "audio" && kind !== "video")) return [];
  // Port 0 is no section at all, unless it lives in its bundle only (RFC 8843 6; GStreamer offers so).
  if (isRejected && !isBundleOnly) return [];
  const direction = flow ?? sessionFlow ?? "sendrecv";
  return [
    { mid, kind, sends: direction.startsWith("send"), receives: direction === "sendrecv" || direction === "recvonly" },
  ];
}
