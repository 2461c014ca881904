import type { Bucket, Bus, Clock, Subscription, Timer } from "@parley/foundation";

/**
 * A bus and a clock for one part of the program that can be stopped as SIGSTOP stops a process: no timer of it runs and no message reaches
 * it, and once it goes on, the timers that are due run first and then comes what waited in its queue. Killed, it never goes on, and nothing of
 * it is cleaned up.
 */
export class PausablePart {
  readonly bus: Bus;
  readonly clock: Clock;
  #state: "running" | "paused" | "killed" = "running";
  readonly #dueTimers = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];

  constructor(bus: Bus, clock: Clock) {
    this.bus = this.#busOver(bus);
    this.clock = {
      monoMs: () => clock.monoMs(),
      unixMs: () => clock.unixMs(),
      after: (delayMs, callback) => this.#timer((run) => clock.after(delayMs, run), callback),
      every: (periodMs, callback) => this.#timer((run) => clock.every(periodMs, run), callback),
    };
  }

  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const due = [...this.#dueTimers];
    this.#dueTimers.clear();
    for (const run of [...due, ...this.#waiting.splice(0)]) run();
  }

  kill(): void {
    this.#state = "killed";
    this.#dueTimers.clear();
    this.#waiting.length = 0;
  }

  #whenRunning(run: () => void): void {
    if (this.#state === "running") run();
    else if (this.#state === "paused") this.#waiting.push(run);
  }

  /** A timer that came due any number of times in the pause runs once after it, as timers of a stopped process do. */
  #timer(start: (run: () => void) => Timer, callback: () => void): Timer {
    const timer = start(() => {
      if (this.#state === "running") callback();
      else if (this.#state === "paused") this.#dueTimers.add(callback);
    });
    return {
      cancel: () => {
        this.#dueTimers.delete(callback);
        timer.cancel();
      },
    };
  }

  /** Settles as `promise` does, but not while the part is stopped. */
  #held<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.#whenRunning(() => resolve(value)),
        (error: unknown) => this.#whenRunning(() => reject(error)),
      );
    });
  }

  #busOver(bus: Bus): Bus {
    return {
      publish: (subject, payload) => bus.publish(subject, payload),
      subscribe: (subject, handler, options): Subscription => {
        let open = true;
        const inner = bus.subscribe(
          subject,
          (message) => this.#whenRunning(() => (open ? handler(message) : undefined)),
          options,
        );
        return {
          unsubscribe: () => {
            open = false;
            inner.unsubscribe();
          },
        };
      },
      request: (subject, payload, options) => this.#held(bus.request(subject, payload, options)),
      bucket: (name) => this.#bucketOver(bus.bucket(name)),
      close: () => bus.close(),
    };
  }

  #bucketOver(bucket: Bucket): Bucket {
    return {
      get: (key) => this.#held(bucket.get(key)),
      put: (key, value) => this.#held(bucket.put(key, value)),
      compareAndSet: (key, value, revision) => this.#held(bucket.compareAndSet(key, value, revision)),
      delete: (key) => this.#held(bucket.delete(key)),
      watch: (prefix, handler) => bucket.watch(prefix, (change) => this.#whenRunning(() => handler(change))),
    };
  }
}
