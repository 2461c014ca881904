/**
 * Publish and subscribe between processes. Delivery is at most once and ordered per (publisher, subject);
 * a message may be lost, so what must arrive is sent again until it is acknowledged.
 *
 * Subjects are tokens joined by dots. Every id that becomes a token is base64url, so that an id such as
 * `>` or `a.*` cannot reach another tenant (`subjectToken` in ids.ts makes and checks them).
 * In a subscription `*` stands for one token and a last `>` for one or more.
 */
export interface Bus {
  /** Fire and forget. Throws nothing: a bus that is away drops the message and counts it. */
  publish(subject: string, payload: Uint8Array): void;

  /**
   * Calls `handler` for each message, never within the call of `publish`. With `queue`, each message goes to one member of the
   * queue group only. A handler that throws is logged and does not disturb others.
   */
  subscribe(subject: string, handler: BusHandler, options?: { readonly queue?: string }): Subscription;

  /**
   * Publishes and waits for one reply. Rejects with {@link BusError} `timeout` after `timeoutMs`, `no-responders`
   * at once when nobody is subscribed, `closed` when the bus is closed, `aborted` by `signal`.
   */
  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array>;

  /** A small key-value bucket with watch and compare-and-set. Not durable: what it holds is soft state. */
  bucket(name: string): Bucket;

  /** Delivers what was published, ends all subscriptions and fails pending requests with `closed`. */
  close(): Promise<void>;
}

export interface BusMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Present when the sender waits for a reply. Only the first reply counts. */
  readonly reply?: (payload: Uint8Array) => void;
}

export type BusHandler = (message: BusMessage) => void;

export interface Subscription {
  /** No handler call starts after this returns. */
  unsubscribe(): void;
}

export type BusErrorCode = "timeout" | "no-responders" | "closed" | "aborted";

export class BusError extends Error {
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, subject: string) {
    super(`bus request to ${subject}: ${code}`);
    this.name = "BusError";
    this.code = code;
  }
}

export interface BucketEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with every write to the bucket. */
  readonly revision: number;
}

export interface Bucket {
  get(key: string): Promise<BucketEntry | undefined>;
  /** Unconditional write; resolves with the new revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  /**
   * Writes only if the key's revision is `expectedRevision` (0: the key must not exist).
   * Resolves with the new revision, or undefined when somebody else was first.
   */
  compareAndSet(key: string, value: Uint8Array, expectedRevision: number): Promise<number | undefined>;
  delete(key: string): Promise<void>;
  /** Calls `handler` with the entries there are, then with each change; `value` undefined means deleted. */
  watch(
    prefix: string,
    handler: (change: {
      readonly key: string;
      readonly value: Uint8Array | undefined;
      readonly revision: number;
    }) => void,
  ): Subscription;
}
