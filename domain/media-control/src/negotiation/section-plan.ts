import { Codec, HeaderExtension, MediaKind } from "@parley/protocol";
import type { Random } from "@parley/foundation";
import type { MediaSection, SdpDirection, SessionDescription } from "../sdp/description.ts";
import { parseFmtp, withFmtpParameter } from "../sdp/fmtp.ts";
import { canForward } from "./codec-match.ts";
import { MAX_EXTENSION_ID, headerExtensionOf } from "./extension-table.ts";
import type { CodecGrant, EncodingGrant, ReceiveGrant, SlotGrant } from "./grant-parts.ts";
import { h264Profile } from "./h264-profile.ts";
import type {
  CodecPolicy,
  NegotiatedSection,
  NegotiationOptions,
  SectionDecision,
  SlotIdentity,
} from "./negotiation.ts";
import { bundledMids, isAcceptable } from "./offer-check.ts";
import { FORWARDED_CODECS, offeredCodecs } from "./offered-codecs.ts";

/** What becomes of one media section of an offer. */
export interface SectionPlan {
  readonly offered: MediaSection;
  readonly mid: string;
  readonly kind: "audio" | "video" | "other";
  readonly offeredDirection: SdpDirection;
  readonly rejected: boolean;
  /** It could have been accepted, had there been a codec. */
  readonly lacksCodec: boolean;
  readonly receive: ReceiveGrant | undefined;
  readonly slot: SlotGrant | undefined;
  readonly slotIdentity: SlotIdentity | undefined;
  readonly codecs: readonly CodecGrant[];
  readonly extensions: readonly PlannedExtension[];
  /** Simulcast layers that are taken; empty: none. */
  readonly rids: readonly string[];
}

export interface PlannedExtension {
  readonly id: number;
  readonly extension: HeaderExtension;
  readonly uri: string;
  /** As offered. */
  readonly direction: SdpDirection | undefined;
}

/** Decides on every section of an offer that passed {@link checkOffer}. */
export function planSections(offer: SessionDescription, options: NegotiationOptions): SectionPlan[] {
  const bundle = bundledMids(offer);
  const ssrcs = new SsrcSource(offer, options);
  const extensions = new ExtensionIds();
  const receiverCounts = { audio: 0, video: 0 };
  return offer.media.map((section, index) => {
    const mid = section.mid ?? String(index);
    const kind = section.kind === "audio" || section.kind === "video" ? section.kind : "other";
    const direction = section.direction ?? offer.direction ?? "sendrecv";
    const base = { offered: section, mid, kind, offeredDirection: direction } as const;
    if (kind === "other" || !isAcceptable(section, bundle)) return rejectedPlan(base, false);

    const receiverIndex = clientReceives(direction) ? receiverCounts[kind]++ : 0;
    const wanted = decideSection(base, index, receiverIndex, options);
    if (wanted === undefined) return rejectedPlan(base, false);
    return planAccepted(base, kind, wanted, options, { ssrcs, extensions });
  });
}

type PlanBase = Pick<SectionPlan, "offered" | "mid" | "kind" | "offeredDirection">;

interface Wanted {
  readonly receive: { readonly streamId: number; readonly paused: boolean } | undefined;
  readonly slot: SectionDecision["slot"];
  readonly previousSlot: SlotIdentity | undefined;
  readonly previousBinding: SlotGrant["binding"];
  /** Client direction allows the slot to be used now. */
  readonly slotActive: boolean;
}

function rejectedPlan(base: PlanBase, lacksCodec: boolean): SectionPlan {
  return {
    ...base,
    rejected: true,
    lacksCodec,
    receive: undefined,
    slot: undefined,
    slotIdentity: undefined,
    codecs: [],
    extensions: [],
    rids: [],
  };
}

/**
 * Keeps what was agreed before on this section and asks `decide` for what is new; undefined: reject. A section that changed its direction back
 * and forth has the same slot again.
 */
function decideSection(
  base: PlanBase,
  index: number,
  receiverIndex: number,
  options: NegotiationOptions,
): Wanted | undefined {
  const before = previousSection(options, index, base.mid);
  const oldReceive = options.previous?.grant.receives.find(({ mid }) => before !== undefined && mid === base.mid);
  const oldSlot = options.previous?.grant.slots.find(({ mid }) => before !== undefined && mid === base.mid);
  const sends = clientSends(base.offeredDirection);
  const receives = clientReceives(base.offeredDirection);

  const hasNews =
    before === undefined ||
    (before.offeredDirection !== base.offeredDirection &&
      ((sends && oldReceive === undefined) || (receives && before.slot === undefined)));
  const decision: SectionDecision = hasNews
    ? options.decide({
        index,
        mid: base.mid,
        kind: base.kind === "audio" ? MediaKind.AUDIO : MediaKind.VIDEO,
        direction: base.offeredDirection,
        msids: base.offered.msids,
        receiverIndex,
      })
    : {};
  if (decision.reject === true) return undefined;
  const newReceive = decision.receive && { streamId: decision.receive.streamId, paused: false };
  return {
    receive: sends ? (oldReceive ?? newReceive) : undefined,
    slot: decision.slot,
    previousSlot: before?.slot,
    previousBinding: oldSlot?.binding,
    slotActive: receives,
  };
}

function previousSection(options: NegotiationOptions, index: number, mid: string): NegotiatedSection | undefined {
  const before = options.previous?.sections[index];
  return before !== undefined && !before.rejected && before.mid === mid ? before : undefined;
}

function planAccepted(
  base: PlanBase,
  kind: "audio" | "video",
  wanted: Wanted,
  options: NegotiationOptions,
  { ssrcs, extensions: ids }: { readonly ssrcs: SsrcSource; readonly extensions: ExtensionIds },
): SectionPlan {
  const mediaKind = kind === "audio" ? MediaKind.AUDIO : MediaKind.VIDEO;
  const policy = options.codecs ?? {};
  const slotWanted = wanted.previousSlot ?? wanted.slot;
  const hasSlot = slotWanted !== undefined && wanted.slotActive;
  const sending = wanted.receive !== undefined;

  const offered = offeredCodecs(base.offered, new Set(policy.allowed ?? FORWARDED_CODECS));
  if (offered.length === 0) return rejectedPlan(base, true);
  const rids = sending ? acceptedRids(base.offered, policy) : [];
  const use = { receive: sending, slot: hasSlot, simulcast: rids.length > 0 };
  const extensions = acceptedExtensions(base.offered, use).filter((each) => ids.claim(each));
  const hasTransportCc = extensions.some(({ extension }) => extension === HeaderExtension.TRANSPORT_CC);
  let codecs = offered.map((codec) => ({ ...codec, transportCc: codec.transportCc && hasTransportCc }));
  if (sending) codecs = forPublisher(codecs, policy);
  else if (hasSlot) codecs = narrowed(codecs, wanted.slot?.narrowTo);

  const payloadTypes = codecs.map(({ payloadType }) => payloadType);
  const hasRtx = codecs.some(({ rtxPayloadType }) => rtxPayloadType !== 0);
  const slotIdentity =
    slotWanted === undefined
      ? undefined
      : (wanted.previousSlot ?? {
          msid: slotWanted.msid,
          trackId: slotWanted.trackId,
          ssrc: ssrcs.draw(),
          rtxSsrc: hasRtx ? ssrcs.draw() : 0,
        });
  return {
    ...base,
    rejected: false,
    lacksCodec: false,
    receive: wanted.receive && {
      mid: base.mid,
      kind: mediaKind,
      streamId: wanted.receive.streamId,
      payloadTypes,
      encodings: rids.length > 0 ? rids.map((rid) => ({ ssrc: 0, rtxSsrc: 0, rid })) : declaredEncodings(base.offered),
      paused: wanted.receive.paused,
    },
    slot: hasSlot && slotIdentity ? slotGrant(base.mid, mediaKind, slotIdentity, payloadTypes, wanted) : undefined,
    slotIdentity,
    codecs,
    extensions,
    rids,
  };
}

function slotGrant(
  mid: string,
  kind: MediaKind,
  identity: SlotIdentity,
  payloadTypes: number[],
  wanted: Wanted,
): SlotGrant {
  const slot: SlotGrant = { mid, kind, ssrc: identity.ssrc, rtxSsrc: identity.rtxSsrc, payloadTypes };
  return wanted.previousBinding === undefined ? slot : { ...slot, binding: wanted.previousBinding };
}

export function clientSends(direction: SdpDirection): boolean {
  return direction === "sendrecv" || direction === "sendonly";
}

export function clientReceives(direction: SdpDirection): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}

/** The order decides what a publisher sends; and what we ask for in Opus. */
function forPublisher(codecs: readonly CodecGrant[], policy: CodecPolicy): CodecGrant[] {
  const rank = (codec: CodecGrant): number => {
    const at = policy.preferred?.indexOf(codec.codec) ?? -1;
    return at < 0 ? Number.MAX_SAFE_INTEGER : at;
  };
  const wished = codecs.map((codec) => withOpusWishes(codec, policy));
  return widestH264First(wished).toSorted((a, b) => rank(a) - rank(b));
}

/**
 * Chromium lists Baseline before Constrained Baseline, sends the first, and makes the same stream for both; but a subscriber that takes
 * only Constrained Baseline (RFC 6184 8.1: not a decoder of all of Baseline) could not be shown it. So among the H264 formats, on the
 * places they have, what most decoders take goes first.
 */
function widestH264First(codecs: readonly CodecGrant[]): CodecGrant[] {
  const isWidest = ({ fmtp }: CodecGrant): boolean =>
    h264Profile(parseFmtp(fmtp).get("profile-level-id")) === "constrained-baseline";
  const h264 = codecs.filter(({ codec }) => codec === Codec.H264);
  const ordered = [...h264.filter((codec) => isWidest(codec)), ...h264.filter((codec) => !isWidest(codec))];
  return codecs.map((codec) => (codec.codec === Codec.H264 ? (ordered.shift() ?? codec) : codec));
}

/** RFC 7587 7: `stereo` and `usedtx` say what the receiver, here we, would like. */
function withOpusWishes(codec: CodecGrant, policy: CodecPolicy): CodecGrant {
  if (codec.codec !== Codec.OPUS) return codec;
  let { fmtp } = codec;
  const stereo = policy.opusStereo ?? parseFmtp(fmtp).get("sprop-stereo") === "1";
  if (stereo) fmtp = withFmtpParameter(fmtp, "stereo", "1");
  if (policy.opusDtx !== undefined) fmtp = withFmtpParameter(fmtp, "usedtx", policy.opusDtx ? "1" : "0");
  return { ...codec, fmtp };
}

function narrowed(codecs: readonly CodecGrant[], source: readonly CodecGrant[] | undefined): CodecGrant[] {
  const fitting = source === undefined ? [] : codecs.filter((codec) => source.some((from) => canForward(from, codec)));
  return fitting.length > 0 ? fitting : [...codecs];
}

/**
 * RFC 8853: the layers we take, in the client's order. Without the RID extension layers could not be told apart, so then none.
 */
function acceptedRids(section: MediaSection, policy: CodecPolicy): string[] {
  const max = policy.maxSimulcastLayers ?? 1;
  if (max < 2 || section.simulcast === undefined) return [];
  if (!section.extmaps.some(({ uri }) => headerExtensionOf(uri) === HeaderExtension.RID)) return [];
  const declared = new Set(section.rids.filter(({ direction }) => direction === "send").map(({ id }) => id));
  const offered = section.simulcast.send.flatMap((alternatives) => alternatives.slice(0, 1)).map(({ rid }) => rid);
  const rids = [...new Set(offered)].filter((rid) => declared.has(rid)).slice(0, max);
  return rids.length > 1 ? rids : [];
}

/** SSRCs by a=ssrc and a=ssrc-group (RFC 5576): FID pairs a stream with its retransmissions (RFC 4588 8.7). */
function declaredEncodings(section: MediaSection): EncodingGrant[] {
  const rtxOf = new Map<number, number>();
  for (const { semantics, ssrcs } of section.ssrcGroups) {
    const [ssrc, rtxSsrc] = ssrcs;
    if (semantics === "FID" && ssrc !== undefined && rtxSsrc !== undefined && !rtxOf.has(ssrc))
      rtxOf.set(ssrc, rtxSsrc);
  }
  // FEC streams (FEC-FR) are not negotiated, so nothing comes on their SSRCs.
  const secondary = new Set(
    section.ssrcGroups.filter(({ semantics }) => semantics !== "SIM").flatMap(({ ssrcs }) => ssrcs.slice(1)),
  );
  const primary = new Set(section.ssrcs.map(({ ssrc }) => ssrc).filter((ssrc) => ssrc !== 0 && !secondary.has(ssrc)));
  return [...primary]
    .slice(0, MAX_DECLARED_ENCODINGS)
    .map((ssrc) => ({ ssrc, rtxSsrc: rtxOf.get(ssrc) ?? 0, rid: "" }));
}

/** Three simulcast layers, and one to spare; more SSRCs in one section are nobody's. */
const MAX_DECLARED_ENCODINGS = 4;

function acceptedExtensions(
  section: MediaSection,
  use: { readonly receive: boolean; readonly slot: boolean; readonly simulcast: boolean },
): PlannedExtension[] {
  const result: PlannedExtension[] = [];
  for (const { id, uri, direction } of section.extmaps) {
    const extension = headerExtensionOf(uri);
    if (extension === undefined || id > MAX_EXTENSION_ID || direction === "inactive") continue;
    const isRid = extension === HeaderExtension.RID || extension === HeaderExtension.REPAIRED_RID;
    if (isRid && !use.simulcast) continue;
    if (direction === "sendonly" && !use.receive) continue;
    if (direction === "recvonly" && !use.slot) continue;
    if (result.some((known) => known.extension === extension || known.id === id)) continue;
    result.push({ id, extension, uri, direction });
  }
  return result;
}

/**
 * In a bundle an id should mean one extension (RFC 8285 5), but aiortc counts them anew in each section. The first meaning
 * stays; what contradicts it is not negotiated.
 */
class ExtensionIds {
  readonly #meanings = new Map<number, HeaderExtension>();

  claim({ id, extension }: PlannedExtension): boolean {
    const known = this.#meanings.get(id);
    if (known !== undefined) return known === extension;
    for (const other of this.#meanings.values()) if (other === extension) return false;
    this.#meanings.set(id, extension);
    return true;
  }
}

/** Draws SSRCs that nobody in this PeerConnection has. */
class SsrcSource {
  readonly #random: Random;
  readonly #used = new Set<number>([0]);

  constructor(offer: SessionDescription, options: NegotiationOptions) {
    this.#random = options.random;
    for (const { ssrcs } of offer.media) for (const { ssrc } of ssrcs) this.#used.add(ssrc);
    for (const { slot } of options.previous?.sections ?? []) {
      if (slot !== undefined) this.#used.add(slot.ssrc).add(slot.rtxSsrc);
    }
  }

  draw(): number {
    for (;;) {
      const ssrc = this.#random.uint32();
      if (this.#used.has(ssrc)) continue;
      this.#used.add(ssrc);
      return ssrc;
    }
  }
}
