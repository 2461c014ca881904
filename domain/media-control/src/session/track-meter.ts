import type { TrackSample } from "./session-io.ts";

/** A track is live while packets come at least this often; Opus with discontinuous transmission sends one every 400 ms. */
export const TRACK_LIVE_MS = 2000;

export interface TrackReading {
  readonly live: boolean;
  readonly payloadType: number;
  readonly bitrateBps: number;
  readonly audioLevel: number;
  readonly lossRatio: number;
}

/** Turns totals into rates between one sample and the next. */
export class TrackMeter {
  // Of the last sample.
  #atMs: number | undefined;
  #packets = 0;
  #bytes = 0;
  #lost = 0;
  #reading: TrackReading = { live: false, payloadType: 0, bitrateBps: 0, audioLevel: 0, lossRatio: 0 };
  #ended = false;

  get reading(): TrackReading {
    return this.#reading;
  }

  /** The client said that it sends no more (RTCP BYE): not live until a packet comes after it. */
  end(): void {
    this.#ended = true;
    this.#reading = { ...this.#reading, live: false, audioLevel: 0, bitrateBps: 0 };
  }

  take(sample: TrackSample, nowMs: number): TrackReading {
    const packets = sample.packets - this.#packets;
    const bytes = sample.bytes - this.#bytes;
    const lost = Math.max(0, sample.lost - this.#lost);
    const spanMs = this.#atMs === undefined ? 0 : nowMs - this.#atMs;
    if (packets > 0) this.#ended = false;
    const live = !this.#ended && sample.lastPacketAgeMs !== undefined && sample.lastPacketAgeMs < TRACK_LIVE_MS;
    this.#atMs = nowMs;
    this.#packets = sample.packets;
    this.#bytes = sample.bytes;
    this.#lost = sample.lost;
    this.#reading = {
      live,
      payloadType: sample.payloadType,
      bitrateBps: spanMs > 0 ? bitrateBps(bytes, spanMs) : 0,
      audioLevel: live ? sample.audioLevel : 0,
      lossRatio: packets + lost > 0 ? lost / (packets + lost) : 0,
    };
    return this.#reading;
  }
}

export function bitrateBps(bytes: number, spanMs: number): number {
  return Math.max(0, Math.round((bytes * 8000) / spanMs));
}
