import type { Result } from "@parley/foundation";
import type { IceCandidate, SdpError, SdpGroup, SdpLimits } from "../sdp/description.ts";

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

export function parseTrickleFragment(text: string, limits?: SdpLimits): Result<TrickleFragment, SdpError> {
  throw new Error(`not yet ${text.length} ${limits?.maxLines}`);
}

export function writeTrickleFragment(fragment: TrickleFragment): string {
  throw new Error(`not yet ${fragment.sections.length}`);
}
