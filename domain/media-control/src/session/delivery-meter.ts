import type { SessionStatus } from "@parley/protocol";
import type { Plain } from "../negotiation/grant-parts.ts";
import type { DeliverySample } from "./session-io.ts";
import { bitrateBps } from "./track-meter.ts";

export type DeliveryReading = NonNullable<Plain<SessionStatus>["delivery"]>;

/** Turns the totals of a client's transport-wide feedback into rates between one sample and the next. */
export class DeliveryMeter {
  #last: { readonly sample: DeliverySample; readonly atMs: number } | undefined;
  #reading: DeliveryReading | undefined;

  /** Undefined before the first feedback. */
  get reading(): DeliveryReading | undefined {
    return this.#reading;
  }

  take(sample: DeliverySample, nowMs: number): void {
    const last = this.#last;
    this.#last = { sample, atMs: nowMs };
    if (last === undefined || nowMs <= last.atMs || sample.packets + sample.lost === 0) return;
    const packets = sample.packets - last.sample.packets;
    const lost = sample.lost - last.sample.lost;
    this.#reading = {
      bitrateBps: bitrateBps(sample.bytes - last.sample.bytes, nowMs - last.atMs),
      lossRatio: packets + lost > 0 ? lost / (packets + lost) : 0,
      pacingDelayMs: sample.pacingDelayUs / 1000,
    };
  }
}
