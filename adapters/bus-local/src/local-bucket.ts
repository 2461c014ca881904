import type { Bucket, BucketEntry, Subscription } from "@parley/foundation";
import type { DeliveryQueue } from "./delivery-queue.ts";

type Change = { readonly key: string; readonly value: Uint8Array | undefined; readonly revision: number };
type Watcher = { readonly prefix: string; readonly handler: (change: Change) => void; live: boolean };

export class LocalBucket implements Bucket {
  readonly #entries = new Map<string, BucketEntry>();
  readonly #watchers = new Set<Watcher>();
  readonly #queue: DeliveryQueue;
  #revision = 0;

  constructor(queue: DeliveryQueue) {
    this.#queue = queue;
  }

  get(key: string): Promise<BucketEntry | undefined> {
    return Promise.resolve(this.#entries.get(key));
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return Promise.resolve(this.#write(key, value));
  }

  compareAndSet(key: string, value: Uint8Array, expectedRevision: number): Promise<number | undefined> {
    const present = this.#entries.get(key)?.revision ?? 0;
    return Promise.resolve(present === expectedRevision ? this.#write(key, value) : undefined);
  }

  delete(key: string): Promise<void> {
    if (this.#entries.delete(key)) this.#notify({ key, value: undefined, revision: ++this.#revision });
    return Promise.resolve();
  }

  watch(prefix: string, handler: (change: Change) => void): Subscription {
    const watcher: Watcher = { prefix, handler, live: true };
    for (const entry of this.#entries.values()) if (entry.key.startsWith(prefix)) this.#deliver(watcher, entry);
    this.#watchers.add(watcher);
    return {
      unsubscribe: () => {
        watcher.live = false;
        this.#watchers.delete(watcher);
      },
    };
  }

  /** Ends all watches. */
  close(): void {
    for (const watcher of this.#watchers) watcher.live = false;
    this.#watchers.clear();
  }

  #write(key: string, value: Uint8Array): number {
    const revision = ++this.#revision;
    const entry = { key, value: value.slice(), revision };
    this.#entries.set(key, entry);
    this.#notify(entry);
    return revision;
  }

  #notify(change: Change): void {
    for (const watcher of this.#watchers) if (change.key.startsWith(watcher.prefix)) this.#deliver(watcher, change);
  }

  #deliver(watcher: Watcher, change: Change): void {
    this.#queue.push(() => {
      if (watcher.live) watcher.handler(change);
    });
  }
}
