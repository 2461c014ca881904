import { type Result, err, ok } from "@parley/foundation";
import type { IceCandidate, SdpError, SdpGroup, SdpLimits } from "../sdp/description.ts";
import { parseCandidate, writeCandidate } from "../sdp/candidate.ts";
import { type SdpLine, sdpError, splitLines } from "../sdp/parse.ts";
import { isIcePassword, isIceUfrag, isMid } from "../sdp/tokens.ts";

/** The body of application/trickle-ice-sdpfrag (RFC 8840 section 9). */
export interface TrickleFragment {
  readonly iceUfrag: string | undefined;
  readonly icePassword: string | undefined;
  readonly iceOptions: readonly string[];
  readonly iceLite: boolean;
  readonly groups: readonly SdpGroup[];
  readonly endOfCandidates: boolean;
  readonly sections: readonly TrickleSection[];
}

export interface TrickleSection {
  /** The m= line's value; its contents are ignored (RFC 8840 section 9). */
  readonly media: string;
  readonly mid: string | undefined;
  readonly iceUfrag: string | undefined;
  readonly icePassword: string | undefined;
  readonly candidates: readonly IceCandidate[];
  readonly endOfCandidates: boolean;
}

/** A fragment is a few candidates; a thousand lines are more than any host has. */
export const DEFAULT_FRAGMENT_LIMITS: SdpLimits = {
  maxBytes: 64 * 1024,
  maxLines: 1000,
  maxLineLength: 1024,
  maxSections: 256,
};

interface SectionDraft {
  media: string;
  mid: string | undefined;
  iceUfrag: string | undefined;
  icePassword: string | undefined;
  candidates: IceCandidate[];
  endOfCandidates: boolean;
}

interface FragmentDraft {
  iceUfrag: string | undefined;
  icePassword: string | undefined;
  iceOptions: string[];
  iceLite: boolean;
  groups: SdpGroup[];
  endOfCandidates: boolean;
  sections: SectionDraft[];
}

/** Reads a fragment. Attributes it has no use for, and candidates that cannot be read, are ignored. */
export function parseTrickleFragment(
  text: string,
  limits: SdpLimits = DEFAULT_FRAGMENT_LIMITS,
): Result<TrickleFragment, SdpError> {
  const lines = splitLines(text, limits);
  if (!lines.ok) return lines;
  const fragment: FragmentDraft = {
    iceUfrag: undefined,
    icePassword: undefined,
    iceOptions: [],
    iceLite: false,
    groups: [],
    endOfCandidates: false,
    sections: [],
  };
  for (const line of lines.value) {
    if (line.type === "m") {
      if (fragment.sections.length >= limits.maxSections) {
        return err(sdpError("too-many-sections", line.number, `more than ${limits.maxSections} media sections`));
      }
      fragment.sections.push(emptySection(line.value));
    } else if (line.type === "a" && !takeAttribute(fragment, line)) {
      return err(sdpError("malformed-attribute", line.number, "this attribute is wrong"));
    }
  }
  return ok(fragment);
}

function emptySection(media: string): SectionDraft {
  return { media, mid: undefined, iceUfrag: undefined, icePassword: undefined, candidates: [], endOfCandidates: false };
}

function takeAttribute(fragment: FragmentDraft, line: SdpLine): boolean {
  const section = fragment.sections.at(-1);
  const target = section ?? fragment;
  const colon = line.value.indexOf(":");
  const name = colon < 0 ? line.value : line.value.slice(0, colon);
  const value = colon < 0 ? "" : line.value.slice(colon + 1).trim();
  switch (name) {
    case "ice-ufrag":
      target.iceUfrag = value;
      return isIceUfrag(value);
    case "ice-pwd":
      target.icePassword = value;
      return isIcePassword(value);
    case "ice-options":
      if (section === undefined) fragment.iceOptions.push(...value.split(/ +/).filter((option) => option !== ""));
      return true;
    case "ice-lite":
      fragment.iceLite = true;
      return true;
    case "group": {
      const [semantics = "", ...mids] = value.split(/ +/);
      fragment.groups.push({ semantics, mids });
      return semantics !== "" && mids.every(isMid);
    }
    case "mid":
      if (section === undefined) return false;
      section.mid = value;
      return isMid(value);
    case "candidate": {
      const candidate = parseCandidate(value);
      if (candidate !== undefined) section?.candidates.push(candidate);
      return true;
    }
    case "end-of-candidates":
      target.endOfCandidates = true;
      return true;
    default:
      return true;
  }
}

/** Writes a fragment, each line ended by CRLF. */
export function writeTrickleFragment(fragment: TrickleFragment): string {
  const lines: string[] = [];
  for (const { semantics, mids } of fragment.groups) lines.push(`a=group:${[semantics, ...mids].join(" ")}`);
  if (fragment.iceLite) lines.push("a=ice-lite");
  if (fragment.iceOptions.length > 0) lines.push(`a=ice-options:${fragment.iceOptions.join(" ")}`);
  pushCredentials(lines, fragment);
  if (fragment.endOfCandidates) lines.push("a=end-of-candidates");
  for (const section of fragment.sections) {
    lines.push(`m=${section.media}`);
    if (section.mid !== undefined) lines.push(`a=mid:${section.mid}`);
    pushCredentials(lines, section);
    for (const candidate of section.candidates) lines.push(`a=candidate:${writeCandidate(candidate)}`);
    if (section.endOfCandidates) lines.push("a=end-of-candidates");
  }
  return lines.join("\r\n") + "\r\n";
}

function pushCredentials(
  lines: string[],
  from: { readonly iceUfrag: string | undefined; readonly icePassword: string | undefined },
): void {
  if (from.iceUfrag !== undefined) lines.push(`a=ice-ufrag:${from.iceUfrag}`);
  if (from.icePassword !== undefined) lines.push(`a=ice-pwd:${from.icePassword}`);
}
