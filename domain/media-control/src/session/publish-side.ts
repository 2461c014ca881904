import { Codec, MediaKind, type SessionStatus } from "@parley/protocol";
import type { CodecGrant, Grant, Plain, ReceiveGrant } from "../negotiation/grant-parts.ts";
import type { TrackOptions } from "../ports.ts";
import type { SessionOutput, SessionSample } from "./session-io.ts";
import { TrackMeter } from "./track-meter.ts";

export type TrackStatus = Plain<SessionStatus>["tracks"][number];

interface Track {
  grant: ReceiveGrant;
  codecs: readonly CodecGrant[];
  readonly meter: TrackMeter;
}

/** What the client publishes: brings the open tracks to what the grant says, and measures them. */
export class PublishSide {
  readonly #keyFrameIntervalMs: number;
  readonly #tracks = new Map<string, Track>();

  constructor(keyFrameIntervalMs: number) {
    this.#keyFrameIntervalMs = keyFrameIntervalMs;
  }

  /** Idempotent: what is as it should be is left alone. `before`: the grant that was applied last. */
  apply(grant: Grant, before: Grant | undefined): SessionOutput[] {
    if (before?.receives === grant.receives && before.codecs === grant.codecs) return [];
    const outputs: SessionOutput[] = [];
    const wanted = new Map(grant.receives.map((receive) => [receive.mid, receive]));
    for (const [mid, track] of this.#tracks) {
      const receive = wanted.get(mid);
      if (receive !== undefined && trackKey(receive) === trackKey(track.grant)) continue;
      this.#tracks.delete(mid);
      outputs.push({ type: "track-changed", mid, codecs: undefined }, { type: "close-track", mid });
    }
    for (const receive of wanted.values()) outputs.push(...this.#applyTrack(receive, grant.codecs));
    return outputs;
  }

  #applyTrack(receive: ReceiveGrant, allCodecs: readonly CodecGrant[]): SessionOutput[] {
    const { mid, paused } = receive;
    const codecs = codecsOf(receive.payloadTypes, allCodecs);
    const track = this.#tracks.get(mid);
    if (track === undefined) {
      this.#tracks.set(mid, { grant: receive, codecs, meter: new TrackMeter() });
      const outputs: SessionOutput[] = [{ type: "open-track", options: this.#trackOptions(receive) }];
      if (paused) outputs.push({ type: "pause-track", mid, paused });
      outputs.push({ type: "track-changed", mid, codecs });
      return outputs;
    }
    const outputs: SessionOutput[] = [];
    if (track.grant.paused !== paused) outputs.push({ type: "pause-track", mid, paused });
    if (codecsKey(track.codecs) !== codecsKey(codecs)) outputs.push({ type: "track-changed", mid, codecs });
    track.grant = receive;
    track.codecs = codecs;
    return outputs;
  }

  #trackOptions({ mid, kind, streamId, payloadTypes, encodings }: ReceiveGrant): TrackOptions {
    return {
      mid,
      kind,
      streamId,
      payloadTypes: [...payloadTypes],
      encodings: encodings.map(({ ssrc, rtxSsrc, rid }) => ({ ssrc, rtxSsrc, rid })),
      keyFrameIntervalMs: this.#keyFrameIntervalMs,
    };
  }

  get isEmpty(): boolean {
    return this.#tracks.size === 0;
  }

  videoMids(): string[] {
    return [...this.#tracks].flatMap(([mid, { grant }]) => (grant.kind === MediaKind.VIDEO ? [mid] : []));
  }

  /** All tracks are gone: the peer was closed. */
  clear(): SessionOutput[] {
    const mids = [...this.#tracks.keys()];
    this.#tracks.clear();
    return mids.map((mid) => ({ type: "track-changed", mid, codecs: undefined }));
  }

  /** Returns whether signaling should know at once. */
  ended(mid: string): boolean {
    const track = this.#tracks.get(mid);
    const wasLive = track?.meter.reading.live === true;
    track?.meter.end();
    return wasLive;
  }

  /** Takes a reading; returns whether a track came to life or fell silent. */
  sample(samples: SessionSample["tracks"], nowMs: number): boolean {
    let changed = false;
    for (const [mid, track] of this.#tracks) {
      const sample = samples.get(mid);
      if (sample === undefined) continue;
      const before = track.meter.reading;
      const now = track.meter.take(sample, nowMs);
      changed ||= before.live !== now.live || (now.live && before.payloadType !== now.payloadType);
    }
    return changed;
  }

  /** Of all tracks, by the last sample. */
  get worstLossRatio(): number {
    let worst = 0;
    for (const { meter } of this.#tracks.values()) worst = Math.max(worst, meter.reading.lossRatio);
    return worst;
  }

  status(): TrackStatus[] {
    return [...this.#tracks].map(([mid, { codecs, grant, meter }]) => {
      const { live, payloadType, bitrateBps, audioLevel, lossRatio } = meter.reading;
      const codec = codecs.find((each) => each.payloadType === payloadType)?.codec ?? Codec.UNSPECIFIED;
      return {
        mid,
        live,
        codec,
        payloadType,
        bitrateBps,
        audioLevel: grant.kind === MediaKind.AUDIO && !grant.paused ? audioLevel : 0,
        lossRatio,
      };
    });
  }
}

/** The grants of these payload types, in their order. */
export function codecsOf(payloadTypes: readonly number[], codecs: readonly CodecGrant[]): CodecGrant[] {
  return payloadTypes.flatMap((payloadType) => codecs.find((codec) => codec.payloadType === payloadType) ?? []);
}

/** What makes it another track of the data plane, which has no command to change it. */
function trackKey({ kind, streamId, payloadTypes, encodings }: ReceiveGrant): string {
  return JSON.stringify([
    kind,
    streamId,
    payloadTypes,
    encodings.map(({ ssrc, rtxSsrc, rid }) => [ssrc, rtxSsrc, rid]),
  ]);
}

function codecsKey(codecs: readonly CodecGrant[]): string {
  return codecs.map(({ payloadType, codec, fmtp }) => `${payloadType} ${codec} ${fmtp}`).join("\n");
}
