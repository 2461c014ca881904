import {
  randomId,
  type Bucket,
  type Bus,
  type Clock,
  type FenceValue,
  type Logger,
  type Random,
  type Timer,
} from "@parley/foundation";

/** Who may write the rooms of a shard. There is one shard now; the key has its name so that there can be more. */
export interface LeaseOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ownerId: string;
  readonly shard: string;
  readonly random: Random;
  /** The lease is ours; {@link Lease.fence} is greater than that of every former owner. */
  readonly onTaken: () => void;
  /** Somebody else has it: nothing may be written any more. */
  readonly onLost: () => void;
}

const bucketIdKey = "bucket-id";
const renewMs = 500;
/** An owner that has not renewed for so long, by our own clock, is gone. Joins wait for less than 3 s then (architecture.md, "Failure table"). */
const expiresMs = 1_500;

/**
 * A lease by compare-and-set: each renewal is a write, and whoever sees the same revision for too long takes the key over. No stamps of other
 * machines' clocks are compared. What an owner emits after it has lost the lease without knowing is refused by its fence; it notices at its next
 * renewal.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #bucket: Bucket;
  #timer: Timer | undefined;
  #held: number | undefined;
  #fence: FenceValue | undefined;
  #seen: { readonly revision: number; readonly atMs: number } | undefined;
  #busy = false;
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#bucket = options.bus.bucket("leases");
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** To be carried by everything the owner emits; undefined while the lease is not ours. */
  get fence(): FenceValue | undefined {
    if (this.#held === undefined) return undefined;
    return this.#fence;
  }

  start(): void {
    this.#timer = this.#options.clock.every(renewMs, () => void this.#step());
    void this.#step();
  }

  /** Gives the lease back, so that the next owner need not wait. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    if (this.#held !== undefined) void this.#bucket.delete(this.#key).catch(() => undefined);
    this.#held = undefined;
  }

  get #key(): string {
    return `signaling.${this.#options.shard}`;
  }

  async #step(): Promise<void> {
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    try {
      if (this.#held === undefined) await this.#tryToTake();
      else await this.#renew(this.#held);
    } catch (error) {
      // The bus is away: nobody else can take the lease either.
      this.#options.logger.warn("the lease could not be renewed", {
        error: error instanceof Error ? error : String(error),
      });
    } finally {
      this.#busy = false;
    }
  }

  async #tryToTake(): Promise<void> {
    const nowMs = this.#options.clock.monoMs();
    const entry = await this.#bucket.get(this.#key);
    if (entry !== undefined) {
      if (this.#seen?.revision !== entry.revision) {
        this.#seen = { revision: entry.revision, atMs: nowMs };
        return;
      }
      if (nowMs - this.#seen.atMs < expiresMs) return;
    }
    const bucketId = await this.#readBucketId();
    const revision = await this.#write(entry?.revision ?? 0);
    if (revision === undefined || this.#closed) return;
    this.#held = revision;
    // The same for as long as the lease is held: messages of one owner may overtake each other.
    this.#fence = { bucketId, shard: this.#options.shard, revision: BigInt(revision) };
    this.#seen = undefined;
    this.#options.onTaken();
  }

  /** Lives as long as the bucket; whoever comes first makes it up. */
  async #readBucketId(): Promise<string> {
    const fresh = new TextEncoder().encode(randomId(this.#options.random));
    await this.#bucket.compareAndSet(bucketIdKey, fresh, 0);
    const entry = await this.#bucket.get(bucketIdKey);
    return new TextDecoder().decode(entry?.value ?? fresh);
  }

  async #renew(held: number): Promise<void> {
    const revision = await this.#write(held);
    if (this.#closed) return;
    this.#held = revision;
    if (revision === undefined) this.#options.onLost();
  }

  #write(expected: number): Promise<number | undefined> {
    return this.#bucket.compareAndSet(this.#key, new TextEncoder().encode(this.#options.ownerId), expected);
  }
}
