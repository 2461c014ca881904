import { MediaKind, type SessionStatus, errorNumber } from "@parley/protocol";
import { matchPayloadTypes } from "../negotiation/codec-match.ts";
import type { BindingGrant, CodecGrant, Grant, Plain, SlotGrant } from "../negotiation/grant-parts.ts";
import type { PayloadTypeMapping } from "../ports.ts";
import { codecsOf } from "./publish-side.ts";
import type { PublisherTrack, SessionOutput, SessionSample, SlotSample, TrackRef } from "./session-io.ts";
import { bitrateBps } from "./track-meter.ts";

export type SlotStatus = Plain<SessionStatus>["slots"][number];

const AUDIO_CLOCK_HZ = 48_000;
const VIDEO_CLOCK_HZ = 90_000;

/** How often a key frame is asked for while a slot waits for one: each request, or the key frame itself, may be lost. */
const KEY_FRAME_RETRY_MS = 1000;

interface Slot {
  grant: SlotGrant;
  codecs: readonly CodecGrant[];
  publisher: PublisherTrack | undefined;
  /** What the plane was told last; "" for nothing. */
  boundKey: string;
  boundAtMs: number;
  askedAtMs: number;
  startedStreamId: number;
  error: number;
  /** Of the last sample. */
  sampledBytes: number;
  sampledAtMs: number | undefined;
  bitrateBps: number;
  lossRatio: number;
}

/** What the client can be sent: brings slots and bindings to what the grant says. */
export class SubscribeSide {
  readonly #slots = new Map<string, Slot>();

  /** `before`: the grant that was applied last; slots that are the same object in both are as they should be. */
  apply(grant: Grant, before: Grant | undefined, nowMs: number): SessionOutput[] {
    const outputs: SessionOutput[] = [];
    const sameCodecs = before?.codecs === grant.codecs;
    const changed = sameCodecs ? grant.slots.filter((slot) => this.#slots.get(slot.mid)?.grant !== slot) : grant.slots;
    const isOneGone = grant.slots.length !== this.#slots.size || changed.some((slot) => !this.#has(slot));
    if (isOneGone) outputs.push(...this.#dropSlots(grant.slots));
    for (const slot of changed) outputs.push(...this.#applySlot(slot, grant.codecs, sameCodecs, nowMs));
    return outputs;
  }

  #has(granted: SlotGrant): boolean {
    const slot = this.#slots.get(granted.mid);
    return slot !== undefined && isSameSlot(slot.grant, granted);
  }

  /** Those that are not granted any more. */
  #dropSlots(granted: readonly SlotGrant[]): SessionOutput[] {
    const outputs: SessionOutput[] = [];
    const wanted = new Map(granted.map((slot) => [slot.mid, slot]));
    for (const [mid, slot] of this.#slots) {
      const now = wanted.get(mid);
      if (now !== undefined && isSameSlot(now, slot.grant)) continue;
      this.#slots.delete(mid);
      outputs.push({ type: "want-publisher", slotMid: mid, track: undefined }, { type: "close-slot", mid });
    }
    return outputs;
  }

  /** `sameCodecs`: the slots that are there were made with these. */
  #applySlot(
    granted: SlotGrant,
    allCodecs: readonly CodecGrant[],
    sameCodecs: boolean,
    nowMs: number,
  ): SessionOutput[] {
    const { mid, kind, ssrc, rtxSsrc } = granted;
    const outputs: SessionOutput[] = [];
    let slot = this.#slots.get(mid);
    const codecs =
      slot !== undefined && sameCodecs && isSameList(slot.grant.payloadTypes, granted.payloadTypes)
        ? slot.codecs
        : codecsOf(granted.payloadTypes, allCodecs);
    if (slot === undefined) {
      slot = newSlot(granted);
      this.#slots.set(mid, slot);
      const clockRateHz = kind === MediaKind.AUDIO ? AUDIO_CLOCK_HZ : VIDEO_CLOCK_HZ;
      outputs.push({ type: "open-slot", options: { mid, kind, ssrc, rtxSsrc, clockRateHz } });
      if (granted.binding !== undefined) {
        outputs.push({ type: "want-publisher", slotMid: mid, track: publisherOf(granted.binding) });
      }
    } else if (!isSameBinding(slot.grant.binding, granted.binding)) {
      slot.publisher = undefined;
      outputs.push({ type: "want-publisher", slotMid: mid, track: publisherOf(granted.binding) });
    }
    slot.grant = granted;
    slot.codecs = codecs;
    // A switch must not pass through "nothing": the old track goes on until the new one's key frame. So while the new publisher is being
    // asked for, only the removal of the binding is passed on here.
    if (granted.binding === undefined || slot.publisher !== undefined) outputs.push(...this.#bind(slot, nowMs));
    return outputs;
  }

  /** The answer to `want-publisher`. */
  publisher(mid: string, track: PublisherTrack | undefined, nowMs: number): SessionOutput[] {
    const slot = this.#slots.get(mid);
    if (slot?.grant.binding === undefined) return [];
    if (track !== undefined && !isOf(track.ref, slot.grant.binding)) return [];
    slot.publisher = track;
    return this.#bind(slot, nowMs);
  }

  #bind(slot: Slot, nowMs: number): SessionOutput[] {
    const { publisher } = slot;
    const mapping = publisher === undefined ? [] : matchPayloadTypes(publisher.codecs, slot.codecs);
    const error = publisher !== undefined && mapping.length === 0 ? errorNumber("codec-not-accepted") : 0;
    const key = publisher === undefined || error !== 0 ? "" : boundKeyOf(publisher, mapping);
    const outputs: SessionOutput[] = [];
    if (key !== slot.boundKey) {
      const track = key === "" ? undefined : publisher?.ref;
      outputs.push({ type: "bind-slot", mid: slot.grant.mid, track, payloadTypes: key === "" ? [] : mapping });
      slot.boundKey = key;
      slot.boundAtMs = nowMs;
      slot.askedAtMs = nowMs;
      if (key === "") slot.startedStreamId = 0;
    }
    if (error !== slot.error || outputs.length > 0) outputs.push({ type: "status-soon" });
    slot.error = error;
    return outputs;
  }

  started(mid: string, streamId: number): boolean {
    const slot = this.#slots.get(mid);
    return slot !== undefined && start(slot, streamId);
  }

  sample(samples: SessionSample["slots"], nowMs: number): SessionOutput[] {
    const outputs: SessionOutput[] = [];
    for (const [mid, slot] of this.#slots) {
      const sample = samples.get(mid);
      if (sample !== undefined) {
        takeSample(slot, sample, nowMs);
        // The event may have been dropped; the counter tells the same a little later.
        if (sample.streamId !== 0 && start(slot, sample.streamId)) outputs.push({ type: "status-soon" });
      }
      if (this.#lacksKeyFrame(slot, nowMs) && slot.publisher !== undefined) {
        slot.askedAtMs = nowMs;
        outputs.push({ type: "request-key-frame", track: slot.publisher.ref });
      }
    }
    return outputs;
  }

  #lacksKeyFrame(slot: Slot, nowMs: number): boolean {
    return awaitsPicture(slot) && nowMs - slot.askedAtMs >= KEY_FRAME_RETRY_MS;
  }

  /** Some slot does not show yet what it is bound to. */
  get isWaiting(): boolean {
    for (const slot of this.#slots.values()) if (awaitsPicture(slot)) return true;
    return false;
  }

  /** Of all slots, by the last sample. */
  get worstLossRatio(): number {
    let worst = 0;
    for (const { lossRatio } of this.#slots.values()) worst = Math.max(worst, lossRatio);
    return worst;
  }

  /** The tracks whose pictures go to this client. */
  shownVideos(): TrackRef[] {
    return [...this.#slots.values()].flatMap(({ grant, boundKey, publisher }) =>
      grant.kind === MediaKind.VIDEO && boundKey !== "" && publisher !== undefined ? [publisher.ref] : [],
    );
  }

  /** All slots are gone: the peer was closed. */
  clear(): SessionOutput[] {
    const mids = [...this.#slots.keys()];
    this.#slots.clear();
    return mids.map((mid) => ({ type: "want-publisher", slotMid: mid, track: undefined }));
  }

  status(): SlotStatus[] {
    return [...this.#slots].map(([mid, { startedStreamId, error, bitrateBps: rateBps, lossRatio }]) => ({
      mid,
      streamId: startedStreamId,
      error,
      bitrateBps: rateBps,
      lossRatio,
    }));
  }
}

function newSlot(grant: SlotGrant): Slot {
  return {
    grant,
    codecs: [],
    publisher: undefined,
    boundKey: "",
    boundAtMs: 0,
    askedAtMs: 0,
    startedStreamId: 0,
    error: 0,
    sampledBytes: 0,
    sampledAtMs: undefined,
    bitrateBps: 0,
    lossRatio: 0,
  };
}

function awaitsPicture({ grant, boundKey, startedStreamId }: Slot): boolean {
  return grant.kind === MediaKind.VIDEO && boundKey !== "" && startedStreamId !== grant.binding?.streamId;
}

/** Whether that is news. */
function start(slot: Slot, streamId: number): boolean {
  if (slot.boundKey === "" || slot.startedStreamId === streamId) return false;
  slot.startedStreamId = streamId;
  return true;
}

function takeSample(slot: Slot, sample: SlotSample, nowMs: number): void {
  const spanMs = slot.sampledAtMs === undefined ? 0 : nowMs - slot.sampledAtMs;
  if (spanMs > 0) slot.bitrateBps = bitrateBps(sample.bytes - slot.sampledBytes, spanMs);
  // The last receiver report stands for ever; of a slot that is sent nothing it says nothing.
  slot.lossRatio = sample.bytes === slot.sampledBytes ? 0 : sample.lossRatio;
  slot.sampledBytes = sample.bytes;
  slot.sampledAtMs = nowMs;
}

function publisherOf(binding: BindingGrant | undefined): TrackRef | undefined {
  return binding && { sessionId: binding.publisherSessionId, mid: binding.publisherMid };
}

function isOf(ref: TrackRef, binding: BindingGrant): boolean {
  return ref.sessionId === binding.publisherSessionId && ref.mid === binding.publisherMid;
}

/** A slot keeps its SSRC and its clock for life; another of these is another slot. */
function isSameSlot(one: SlotGrant, other: SlotGrant): boolean {
  return one.kind === other.kind && one.ssrc === other.ssrc && one.rtxSsrc === other.rtxSsrc;
}

function isSameBinding(one: BindingGrant | undefined, other: BindingGrant | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    one.publisherSessionId === other.publisherSessionId &&
    one.publisherMid === other.publisherMid &&
    one.streamId === other.streamId
  );
}

function isSameList(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

function boundKeyOf({ ref, generation }: PublisherTrack, mapping: readonly PayloadTypeMapping[]): string {
  const pairs = mapping.map(({ from, to }) => `${from}>${to}`).join(",");
  return `${ref.sessionId} ${ref.mid} ${generation} ${pairs}`;
}
