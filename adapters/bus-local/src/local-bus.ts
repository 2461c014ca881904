import {
  BusError,
  type Bucket,
  type Bus,
  type BusErrorCode,
  type BusHandler,
  type BusMessage,
  type Clock,
  type Logger,
  type Subscription,
} from "@parley/foundation";
import { DeliveryQueue } from "./delivery-queue.ts";
import { LocalBucket } from "./local-bucket.ts";
import { isPattern } from "./subject-pattern.ts";
import { type Subscriber, Subscriptions } from "./subscriptions.ts";

export interface LocalBusDeps {
  /** Measures the deadlines of requests. */
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface LocalBus extends Bus {
  /** Messages that were published to a subject that is none, or after `close`. */
  readonly dropped: number;
}

/**
 * The bus of one process: the contract of {@link Bus} without a network. Payloads are handed over as they are: who publishes bytes does not
 * change them afterwards.
 */
export function createLocalBus(deps: LocalBusDeps): LocalBus {
  return new InProcessBus(deps);
}

class InProcessBus implements LocalBus {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: DeliveryQueue;
  readonly #subscriptions = new Subscriptions();
  readonly #buckets = new Map<string, LocalBucket>();
  readonly #pending = new Set<(code: BusErrorCode) => void>();
  #closed = false;
  #dropped = 0;

  constructor({ clock, logger }: LocalBusDeps) {
    this.#clock = clock;
    this.#logger = logger;
    this.#queue = new DeliveryQueue((error) => this.#logger.error("a bus handler failed", { error: asError(error) }));
  }

  get dropped(): number {
    return this.#dropped;
  }

  publish(subject: string, payload: Uint8Array): void {
    const receivers = this.#closed ? undefined : this.#subscriptions.receivers(subject);
    if (receivers === undefined) this.#dropped += 1;
    else this.#deliver(receivers, { subject, payload });
  }

  subscribe(subject: string, handler: BusHandler, options?: { readonly queue?: string }): Subscription {
    if (!isPattern(subject)) throw new TypeError(`not a subject to subscribe to: ${subject}`);
    const subscriber: Subscriber = { subject, queue: options?.queue, handler, live: !this.#closed };
    if (!this.#closed) this.#subscriptions.add(subscriber);
    return { unsubscribe: () => this.#subscriptions.remove(subscriber) };
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        if (!this.#pending.delete(fail)) return false;
        timer.cancel();
        options.signal?.removeEventListener("abort", onAbort);
        return true;
      };
      const fail = (code: BusErrorCode): void => {
        if (settle()) reject(new BusError(code, subject));
      };
      const onAbort = (): void => fail("aborted");
      const timer = this.#clock.after(options.timeoutMs, () => fail("timeout"));
      this.#pending.add(fail);
      options.signal?.addEventListener("abort", onAbort, { once: true });

      if (options.signal?.aborted === true) fail("aborted");
      else if (this.#closed) fail("closed");
      else {
        const receivers = this.#subscriptions.receivers(subject) ?? [];
        if (receivers.length === 0) fail("no-responders");
        const reply = (bytes: Uint8Array): void =>
          this.#queue.push(() => {
            if (settle()) resolve(bytes);
          });
        this.#deliver(receivers, { subject, payload, reply });
      }
    });
  }

  bucket(name: string): Bucket {
    const there = this.#buckets.get(name);
    if (there !== undefined) return there;
    const made = new LocalBucket(this.#queue);
    this.#buckets.set(name, made);
    return made;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      await this.#queue.drained();
      this.#subscriptions.clear();
      for (const bucket of this.#buckets.values()) bucket.close();
      for (const fail of this.#pending) fail("closed");
    }
  }

  #deliver(receivers: readonly Subscriber[], message: BusMessage): void {
    for (const subscriber of receivers) {
      this.#queue.push(() => {
        if (subscriber.live) subscriber.handler(message);
      });
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
