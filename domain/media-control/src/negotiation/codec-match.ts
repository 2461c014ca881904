import { Codec } from "@parley/protocol";
import type { CodecGrant } from "./grant-parts.ts";
import type { PayloadTypeMapping } from "../ports.ts";
import { parseFmtp } from "../sdp/fmtp.ts";
import { type H264Profile, h264Profile } from "./h264-profile.ts";

/** Browsers of one kind offer the same, so there are some dozens; a hostile one is forgotten with the rest. */
const maxParsed = 1_024;
const parsed = new Map<string, ReadonlyMap<string, string>>();

/** Each slot that is bound compares all codecs of two sessions. */
function parametersOf({ fmtp }: CodecGrant): ReadonlyMap<string, string> {
  let parameters = parsed.get(fmtp);
  if (parameters === undefined) {
    if (parsed.size >= maxParsed) parsed.clear();
    parameters = parseFmtp(fmtp);
    parsed.set(fmtp, parameters);
  }
  return parameters;
}

/**
 * What must be equal for a decoder to take the packets, as a string: codec, clock and the parameters that choose a bit
 * stream. Levels are not in it: they are bounds, and decoders in practice take what comes.
 */
export function formatKey(codec: CodecGrant): string {
  const parameters = parametersOf(codec);
  const base = `${codec.codec}/${codec.clockRateHz}/${codec.channels}`;
  switch (codec.codec) {
    case Codec.VP9:
      return `${base}/${parameters.get("profile-id") ?? "0"}`;
    case Codec.H264:
      // RFC 6184 8.1: absent means mode 0, and profile-level-id 42000A.
      return `${base}/${parameters.get("packetization-mode") ?? "0"}/${h264Profile(parameters.get("profile-level-id"))}`;
    case Codec.H265:
      // RFC 7798 7.1: profile-id 1, tier-flag 0 and tx-mode SRST when absent.
      return `${base}/${parameters.get("profile-id") ?? "1"}/${parameters.get("tier-flag") ?? "0"}/${parameters.get("tx-mode") ?? "SRST"}`;
    case Codec.AV1:
      return `${base}/${parameters.get("profile") ?? "0"}`;
    default:
      return base;
  }
}

/** Whether packets of `from` (a publisher's) may be sent as `to` (a subscriber's). */
export function canForward(from: CodecGrant, to: CodecGrant): boolean {
  if (from.codec !== to.codec || from.clockRateHz !== to.clockRateHz || from.channels !== to.channels) return false;
  if (from.codec === Codec.H264) return canForwardH264(from, to);
  return formatKey(from) === formatKey(to);
}

/**
 * A decoder of packetization mode 1 takes what a sender of mode 0 makes (RFC 6184 6.2, 6.3), not the other way round; a higher profile
 * takes a lower one. We differ from RFC 6184 8.1 in treating Baseline as Constrained Baseline and Constrained High as High: what tells
 * them apart (slices in any order, interlacing) no encoder for real-time use makes, and browsers offer the one and send the other.
 */
function canForwardH264(from: CodecGrant, to: CodecGrant): boolean {
  const source = parametersOf(from);
  const target = parametersOf(to);
  const sourceMode = source.get("packetization-mode") ?? "0";
  const targetMode = target.get("packetization-mode") ?? "0";
  if (sourceMode !== targetMode && !(sourceMode === "0" && targetMode === "1")) return false;
  const sourceProfile = h264Profile(source.get("profile-level-id"));
  const targetProfile = h264Profile(target.get("profile-level-id"));
  if (sourceProfile === targetProfile) return sourceProfile !== "unknown";
  const sourceRank = H264_RANKS[sourceProfile];
  const targetRank = H264_RANKS[targetProfile];
  return sourceRank !== undefined && targetRank !== undefined && sourceRank <= targetRank;
}

/** What decodes what; profiles that are not in it go only to themselves. */
const H264_RANKS: Readonly<Partial<Record<H264Profile, number>>> = {
  "constrained-baseline": 0,
  baseline: 0,
  main: 1,
  "constrained-high": 2,
  high: 2,
};

/**
 * For MediaPlane.bindSlot: for each of the publisher's codecs the subscriber's payload type, where there is one: the same format
 * if possible, else the first that takes it. Empty: the slot cannot show this track. Neither list may change afterwards.
 */
export function matchPayloadTypes(
  from: readonly CodecGrant[],
  to: readonly CodecGrant[],
): readonly PayloadTypeMapping[] {
  return remembered.get(from, to);
}

function match(from: readonly CodecGrant[], to: readonly CodecGrant[]): readonly PayloadTypeMapping[] {
  const mappings: PayloadTypeMapping[] = [];
  for (const source of from) {
    const candidates = to.filter((target) => canForward(source, target));
    const key = formatKey(source);
    const chosen = candidates.find((target) => formatKey(target) === key) ?? candidates[0];
    if (chosen !== undefined) mappings.push({ from: source.payloadType, to: chosen.payloadType });
  }
  return mappings;
}

/** Browsers of one kind offer the same: some dozens of lists, and of pairs some hundreds; a hostile one is forgotten with the rest. */
const maxLists = 1_024;
const maxMatches = 8_192;

/** Who switches slots compares the same lists again and again, and a thousand viewers have the same ones. */
class Matches {
  /** A number for each list that says the same. */
  readonly #numbers = new Map<string, number>();
  #numberOf = new WeakMap<readonly CodecGrant[], number>();
  readonly #matches = new Map<number, readonly PayloadTypeMapping[]>();

  get(from: readonly CodecGrant[], to: readonly CodecGrant[]): readonly PayloadTypeMapping[] {
    if (this.#numbers.size > maxLists - 2 || this.#matches.size >= maxMatches) this.#clear();
    const pair = this.#number(from) * maxLists + this.#number(to);
    let found = this.#matches.get(pair);
    if (found === undefined) {
      found = match(from, to);
      this.#matches.set(pair, found);
    }
    return found;
  }

  #number(codecs: readonly CodecGrant[]): number {
    let number = this.#numberOf.get(codecs);
    if (number !== undefined) return number;
    const text = JSON.stringify(
      codecs.map(({ payloadType, codec, clockRateHz, channels, fmtp }) => [
        payloadType,
        codec,
        clockRateHz,
        channels,
        fmtp,
      ]),
    );
    number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    this.#numberOf.set(codecs, number);
    return number;
  }

  #clear(): void {
    this.#numbers.clear();
    this.#numberOf = new WeakMap();
    this.#matches.clear();
  }
}

const remembered = new Matches();
