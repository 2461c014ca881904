import type { Clock, Timer } from "@parley/foundation";
import type { Slot } from "./slot.ts";

/** Packets are looked at so often while a picture is awaited, and else. A look costs some microseconds a slot. */
const pendingPeriodMs = 40;
const steadyPeriodMs = 200;
/** A speaker's slot goes to another without a word of ours: nobody should be heard under another's name for longer than this. */
const speakerPeriodMs = 50;

/** When to look at the packets of slots: as often as what is expected of them needs, and not at all where nothing is. */
export class SlotLooks {
  readonly #clock: Clock;
  readonly #look: () => void;
  #timer: Timer | undefined;
  #periodMs = 0;

  constructor(clock: Clock, look: () => void) {
    this.#clock = clock;
    this.#look = look;
  }

  /** As these slots need it from now on. */
  schedule(slots: readonly Slot[]): void {
    const periodMs = periodFor(slots);
    if (periodMs === this.#periodMs && this.#timer !== undefined) return;
    this.stop();
    this.#periodMs = periodMs;
    if (periodMs > 0) this.#timer = this.#clock.every(periodMs, this.#look);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function periodFor(slots: readonly Slot[]): number {
  if (slots.some(({ watch }) => watch.isPending)) return pendingPeriodMs;
  if (slots.some(({ watch }) => watch.expectsAny)) return speakerPeriodMs;
  return slots.some(({ watch }) => !watch.isIdle) ? steadyPeriodMs : 0;
}
