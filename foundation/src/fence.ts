/** Whose word about the rooms of a shard it is: `parley.bus.v1.Fence`. */
export interface FenceValue {
  readonly bucketId: string;
  readonly shard: string;
  readonly revision: bigint;
}

interface Highest {
  bucketId: string;
  revision: bigint;
  readonly former: Set<string>;
}

/** Buckets that are remembered as past; a bucket is lost when the bus's servers all are. */
const maxFormer = 16;

/** Refuses what a former owner of a shard still emits: anything below the highest fence that was heard. */
export class FenceGuard {
  readonly #shards = new Map<string, Highest>();

  /** Takes notice of a fence; false: its sender is not the owner any more. Without a fence nothing is known against it. */
  admits(fence: FenceValue | undefined): boolean {
    if (fence === undefined) return true;
    const { bucketId, shard, revision } = fence;
    const highest = this.#shards.get(shard);
    if (highest === undefined) {
      this.#shards.set(shard, { bucketId, revision, former: new Set() });
      return true;
    }
    if (highest.bucketId === bucketId) {
      if (revision < highest.revision) return false;
      highest.revision = revision;
      return true;
    }
    if (highest.former.has(bucketId)) return false;
    // Another bucket: its revisions start anew, and the old one does not come back.
    if (highest.former.size >= maxFormer)
      for (const oldest of [...highest.former].slice(0, 1)) highest.former.delete(oldest);
    highest.former.add(highest.bucketId);
    highest.bucketId = bucketId;
    highest.revision = revision;
    return true;
  }
}
