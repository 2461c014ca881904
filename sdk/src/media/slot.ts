import { currentSource, SlotWatch } from "./csrc-watch.ts";
import type { BindingWish } from "./slot-plan.ts";

/** A slot with what comes out of it. */
export interface SlotView {
  /** Of this section of this PeerConnection: while one takes over from another there are two of each mid. */
  readonly id: string;
  readonly mid: string;
  readonly kind: "audio" | "video";
  readonly track: MediaStreamTrack;
  /** The demand it serves; undefined: a speaker's slot, whoever speaks. */
  readonly key: string | undefined;
}

/** One section of a PeerConnection that receives: what it is to show, what was asked for, and what comes out of it. */
export class Slot {
  readonly id: string;
  readonly mid: string;
  readonly kind: "audio" | "video";
  readonly watch = new SlotWatch();
  readonly #receiver: RTCRtpReceiver;
  key: string | undefined;
  /** What was asked of the server last; undefined: unknown. */
  requested: BindingWish | undefined;
  isAudible = false;

  constructor(id: string, mid: string, kind: "audio" | "video", receiver: RTCRtpReceiver) {
    this.id = id;
    this.mid = mid;
    this.kind = kind;
    this.#receiver = receiver;
    // A fresh slot is bound to nothing.
    this.requested = { mid, streamId: 0, trackMid: "" };
  }

  /** As it is now. */
  get view(): SlotView {
    const { id, mid, kind, key } = this;
    return { id, mid, kind, key, track: this.#receiver.track };
  }

  /** Whether the browser shows whose packets come. */
  get canSeeSources(): boolean {
    return typeof (this.#receiver as Partial<RTCRtpReceiver>).getContributingSources === "function";
  }

  /** The stream whose packets come out now, by their CSRC; undefined: none of the last 10 s named one. */
  get source(): number | undefined {
    return currentSource(this.#receiver.getContributingSources());
  }
}
