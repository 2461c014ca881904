import { type Result, err, ok } from "@parley/foundation";
import type { MediaSection, SdpFingerprint, SdpSetup, SdpTransport, SessionDescription } from "../sdp/description.ts";
import type { EarlierNegotiation, IceCredentials, NegotiationError, NegotiationErrorCode } from "./negotiation.ts";

/** What an offer says of the one transport everything is bundled on. */
export interface OfferedTransport {
  readonly ice: IceCredentials;
  readonly fingerprints: readonly SdpFingerprint[];
  readonly setup: SdpSetup;
}

/** RFC 8122 section 5 names more, but only these are safe and known to OpenSSL by default. */
const FINGERPRINT_BYTES: Readonly<Record<string, number>> = { "sha-256": 32, "sha-384": 48, "sha-512": 64 };

export function negotiationError(code: NegotiationErrorCode, message: string, mid?: string): NegotiationError {
  return mid === undefined ? { code, message } : { code, message, mid };
}

/** The mids of the offered BUNDLE group (RFC 8843); undefined: there is none. */
export function bundledMids(offer: SessionDescription): readonly string[] | undefined {
  return offer.groups.find(({ semantics }) => semantics === "BUNDLE")?.mids;
}

/** Port 0 means rejected or stopped, unless the section only exists in its bundle (RFC 8843 6). */
export function isDisabled(section: MediaSection): boolean {
  return section.port === 0 && !section.bundleOnly;
}

/** Whether a section could be accepted at all: RTP over DTLS-SRTP with feedback, audio or video, bundled. */
export function isAcceptable(section: MediaSection, bundle: readonly string[] | undefined): boolean {
  if (section.kind !== "audio" && section.kind !== "video") return false;
  if (isDisabled(section) || !section.protocol.endsWith("RTP/SAVPF")) return false;
  return bundle === undefined || (section.mid !== undefined && bundle.includes(section.mid));
}

/** The checks of the offer as a whole, before any section is decided on. */
export function checkOffer(
  offer: SessionDescription,
  previous: EarlierNegotiation | undefined,
): NegotiationError | undefined {
  if (offer.media.length === 0) return negotiationError("no-media", "the offer has no media section");
  if (offer.iceLite) return negotiationError("ice-lite-peer", "both sides would be ICE-lite: nobody would send checks");
  const bundle = bundledMids(offer);
  const live = offer.media.filter((section) => !isDisabled(section));
  if (bundle === undefined && live.length > 1) {
    return negotiationError("bundle-required", "several media sections without a=group:BUNDLE");
  }
  const seen = new Set<string>();
  for (const { mid } of offer.media) {
    if (mid === undefined) {
      if (live.length > 1) return negotiationError("mid-missing", "a media section has no a=mid");
      continue;
    }
    if (seen.has(mid)) return negotiationError("duplicate-mid", "two media sections have the same a=mid", mid);
    seen.add(mid);
  }
  for (const section of live) {
    if (isAcceptable(section, bundle) && !section.rtcpMux) {
      return negotiationError("rtcp-mux-required", "a media section has no a=rtcp-mux", section.mid);
    }
  }
  return previous === undefined ? undefined : checkContinuity(offer, previous);
}

/** RFC 8829 5.2.2: sections stay at their place; one that was rejected may be used again for something new. */
function checkContinuity(offer: SessionDescription, previous: EarlierNegotiation): NegotiationError | undefined {
  for (const [index, before] of previous.sections.entries()) {
    const now = offer.media[index];
    if (now === undefined) return negotiationError("section-mismatch", "media sections are missing", before.mid);
    if (before.rejected) continue;
    const kind = now.kind === "audio" || now.kind === "video" ? now.kind : "other";
    if ((now.mid ?? String(index)) !== before.mid || kind !== before.kind) {
      return negotiationError("section-mismatch", "media sections changed their place", before.mid);
    }
  }
  return undefined;
}

/**
 * The bundled transport: the attributes of the offerer-tagged section (RFC 8843 7.1), else of the session, else of the first
 * section that has them.
 */
export function offeredTransport(offer: SessionDescription): Result<OfferedTransport, NegotiationError> {
  const tag = bundledMids(offer)?.[0];
  const tagged = offer.media.find((section) => section.mid !== undefined && section.mid === tag);
  const sections = offer.media.filter((section) => !isDisabled(section)).map(({ transport }) => transport);
  const places: SdpTransport[] = [...(tagged ? [tagged.transport] : []), offer.transport, ...sections];

  const iceAt = places.find(({ iceUfrag, icePassword }) => iceUfrag !== undefined && icePassword !== undefined);
  if (iceAt?.iceUfrag === undefined || iceAt.icePassword === undefined) {
    return err(negotiationError("ice-missing", "a=ice-ufrag or a=ice-pwd is missing"));
  }
  const fingerprints = (places.find((place) => place.fingerprints.length > 0)?.fingerprints ?? []).filter(
    ({ algorithm, value }) =>
      Object.hasOwn(FINGERPRINT_BYTES, algorithm) && FINGERPRINT_BYTES[algorithm] === value.length,
  );
  if (fingerprints.length === 0) {
    return err(negotiationError("fingerprint-missing", "no a=fingerprint of sha-256, sha-384 or sha-512"));
  }
  const setup = places.find((place) => place.setup !== undefined)?.setup ?? "actpass";
  if (setup === "holdconn") return err(negotiationError("setup-invalid", "a=setup:holdconn"));
  return ok({ ice: { ufrag: iceAt.iceUfrag, password: iceAt.icePassword }, fingerprints, setup });
}
