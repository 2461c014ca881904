import type {
  DeliverySample,
  MediaPlane,
  PeerCounters,
  SessionSample,
  SlotSample,
  TrackSample,
} from "@parley/domain-media-control";
import type { SessionHost } from "./session-host.ts";

/** Reads the data plane's counters of one session after the other: one object for all of them, and nothing is read that is not asked for. */
export class SessionReader implements SessionSample {
  readonly #plane: MediaPlane;
  #host: SessionHost | undefined;
  #peer: PeerCounters | undefined;
  #planeNowMs = 0;
  readonly tracks = { get: (mid: string): TrackSample | undefined => this.#track(mid) };
  readonly slots = { get: (mid: string): SlotSample | undefined => this.#slot(mid) };

  constructor(plane: MediaPlane) {
    this.#plane = plane;
  }

  /** Once for all sessions that are read at about the same time. */
  setTime(): void {
    this.#planeNowMs = this.#plane.nowMs();
  }

  /** From now on this stands for `host`. */
  of(host: SessionHost): this {
    this.#host = host;
    this.#peer = host.peer === undefined ? undefined : this.#plane.peerCounters(host.peer);
    return this;
  }

  get consentAgeMs(): number | undefined {
    return this.#peer && this.#ageMs(this.#peer.lastConsentMonoMs);
  }

  get rttUs(): number {
    return this.#peer?.rttUs ?? 0;
  }

  get receivedPackets(): number {
    return this.#peer?.rxPackets ?? 0;
  }

  get delivery(): DeliverySample {
    const peer = this.#peer;
    return {
      packets: peer?.deliveredPackets ?? 0,
      bytes: peer?.deliveredBytes ?? 0,
      lost: peer?.undeliveredPackets ?? 0,
      pacingDelayUs: peer?.pacingDelayUs ?? 0,
    };
  }

  #track(mid: string): TrackSample | undefined {
    const handle = this.#host?.tracks.get(mid);
    const counters = handle === undefined ? undefined : this.#plane.trackCounters(handle);
    if (counters === undefined) return undefined;
    const { packets, bytes, lost, payloadType, audioLevel, lastPacketMonoMs } = counters;
    return { packets, bytes, lost, payloadType, audioLevel, lastPacketAgeMs: this.#ageMs(lastPacketMonoMs) };
  }

  #slot(mid: string): SlotSample | undefined {
    const handle = this.#host?.slots.get(mid);
    return handle === undefined ? undefined : this.#plane.slotCounters(handle);
  }

  #ageMs(atMs: number): number | undefined {
    return atMs === 0 ? undefined : Math.max(0, this.#planeNowMs - atMs);
  }
}
