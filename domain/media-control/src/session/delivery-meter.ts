import type { SessionStatus } from "@parley/protocol";
import type { Plain } from "../negotiation/grant-parts.ts";
import type { DeliverySample } from "./session-io.ts";
import { bitrateBps } from "./track-meter.ts";

export type DeliveryReading = NonNullable<Plain<SessionStatus>["delivery"]>;

/** Turns the totals of a client's transport-wide feedback into rates between one sample and the next. */
export class DeliveryMeter {
  #reading: DeliveryReading | undefined;
  // Of the last sample; samples themselves are not kept, as they would outlive a collection of V8's young generation for nothing.
  #atMs: number | undefined;
  #packets = 0;
  #bytes = 0;
  #lost = 0;

  /** Undefined before the first feedback. */
  get reading(): DeliveryReading | undefined {
    return this.#reading;
  }

  /** Undefined while no feedback comes: then all of the reading is zero. */
  get lossRatio(): number | undefined {
    const { bitrateBps: arrivedBps = 0, lossRatio = 0 } = this.#reading ?? {};
    return arrivedBps > 0 || lossRatio > 0 ? lossRatio : undefined;
  }

  take(sample: DeliverySample, nowMs: number): void {
    const spanMs = this.#atMs === undefined ? 0 : nowMs - this.#atMs;
    const packets = sample.packets - this.#packets;
    const bytes = sample.bytes - this.#bytes;
    const lost = sample.lost - this.#lost;
    this.#atMs = nowMs;
    this.#packets = sample.packets;
    this.#bytes = sample.bytes;
    this.#lost = sample.lost;
    if (spanMs <= 0 || sample.packets + sample.lost === 0) return;
    this.#reading = {
      bitrateBps: bitrateBps(bytes, spanMs),
      lossRatio: packets + lost > 0 ? lost / (packets + lost) : 0,
      pacingDelayMs: sample.pacingDelayUs / 1000,
    };
  }
}
