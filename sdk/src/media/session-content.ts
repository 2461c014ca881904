import type { SessionAnswer } from "@parley/protocol";
import type { ParleyError } from "../api/error.ts";
import type { OpenSessionInit, SectionInit } from "./session-requests.ts";

/** What a session carries; knows nothing of connections and their failures. */
export interface SessionContent {
  /** Nothing to carry: no PeerConnection is needed. */
  readonly isEmpty: boolean;
  /** Puts everything there is into a fresh PeerConnection, before its first offer. */
  build(pc: RTCPeerConnection): void;
  /** Brings a living PeerConnection up to date, before another offer. */
  prepareUpdate(pc: RTCPeerConnection): void;
  /** What each section of the offer is, once the offer is set. */
  sections(): SectionInit[];
  openExtras(): Pick<OpenSessionInit, "bindings" | "speakers">;
  /** The answer is set. */
  answered(answer: SessionAnswer): void;
  /** The PeerConnection is closed. */
  dropped(): void;
  /** Another PeerConnection takes over from this one, which stays until {@link isTakenOver}, or {@link released}. */
  retired(): void;
  /** The new PeerConnection brings everything that the retired one did. */
  readonly isTakenOver: boolean;
  /** The retired PeerConnection is closed. */
  released(): void;
  /** The server refuses, for good, what it had before; the PeerConnection is closed. */
  refused(reason: ParleyError): void;
  /** Whether packets should be coming in all the time now. `sentPackets`: since the last look; undefined: the browser does not tell. */
  expectsPackets(sentPackets: number | undefined): boolean;
}
