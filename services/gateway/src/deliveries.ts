import { readDelivery, type Delivery } from "@parley/domain-connection";
import type { FenceGuard, Logger } from "@parley/foundation";

/** Reads what rooms tell connections, once however many hear it, and refuses what a former owner of the rooms says. */
export class Deliveries {
  readonly fences: FenceGuard;
  readonly #logger: Logger;
  readonly #read = new WeakMap<Uint8Array, { readonly delivery: Delivery | undefined }>();

  constructor(fences: FenceGuard, logger: Logger) {
    this.fences = fences;
    this.#logger = logger;
  }

  /** Undefined: not to be delivered. */
  read(payload: Uint8Array): Delivery | undefined {
    let entry = this.#read.get(payload);
    if (entry === undefined) this.#read.set(payload, (entry = { delivery: this.#decode(payload) }));
    return entry.delivery;
  }

  #decode(payload: Uint8Array): Delivery | undefined {
    const delivery = readDelivery(payload);
    if (delivery === undefined) this.#logger.error("a delivery that cannot be read was dropped");
    else if (!this.fences.admits(delivery.fence)) {
      this.#logger.warn("a delivery of a former owner of the rooms was dropped");
      return undefined;
    }
    return delivery;
  }
}
