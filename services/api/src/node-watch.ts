import { fromBinary } from "@bufbuild/protobuf";
import { subjects, type Bus, type Clock, type Subscription } from "@parley/foundation";
import { NodeAnnouncementSchema } from "@parley/protocol";

/** As in signaling: three announcements. A stall of ours makes us say "not ready" a moment too long at worst. */
const forgetAfterMs = 750;

/** Whether sessions can be made at all: some media node is there that takes them. */
export class NodeWatch {
  readonly #clock: Clock;
  readonly #heardAtMs = new Map<string, number>();
  readonly #subscription: Subscription;

  constructor(bus: Bus, clock: Clock) {
    this.#clock = clock;
    this.#subscription = bus.subscribe(subjects.mediaAnnounce, ({ payload }) => this.#announced(payload));
  }

  /** Nodes that were heard lately and do not drain. */
  get live(): number {
    const oldestMs = this.#clock.monoMs() - forgetAfterMs;
    for (const [nodeId, atMs] of this.#heardAtMs) if (atMs < oldestMs) this.#heardAtMs.delete(nodeId);
    return this.#heardAtMs.size;
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  #announced(payload: Uint8Array): void {
    try {
      const { nodeId, draining } = fromBinary(NodeAnnouncementSchema, payload);
      if (draining) this.#heardAtMs.delete(nodeId);
      else this.#heardAtMs.set(nodeId, this.#clock.monoMs());
    } catch {
      // Of another version, or garbage: nobody that we can use.
    }
  }
}
