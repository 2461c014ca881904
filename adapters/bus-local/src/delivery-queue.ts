/**
 * Runs deliveries in the order they were queued, never within the call that queued them. They run as microtasks, so that a chain of requests
 * takes no turn of the event loop, but after a burst the loop gets its turn: two parts that talk in a circle must not starve sockets.
 */
const deliveriesPerTurn = 512;

export class DeliveryQueue {
  #queue: (() => void)[] = [];
  #running = false;
  readonly #waiting: (() => void)[] = [];
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  push(delivery: () => void): void {
    this.#queue.push(delivery);
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => this.#run(deliveriesPerTurn));
  }

  /** Resolves when everything that was queued, and what that queued in turn, has run. */
  drained(): Promise<void> {
    return this.#running ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  #run(limit: number): void {
    let index = 0;
    const queue = this.#queue;
    while (index < queue.length && index < limit) {
      const delivery = queue[index++];
      try {
        delivery?.();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#queue = queue.slice(index);
    if (this.#queue.length > 0) {
      setImmediate(() => this.#run(limit));
      return;
    }
    this.#running = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
