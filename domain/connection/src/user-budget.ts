import type { RoomRequest } from "@parley/protocol";
import type { ConnectionPolicy } from "./policy.ts";
import { TokenBucket } from "./token-bucket.ts";

type Method = RoomRequest["method"]["case"];

/** Joins, and what makes the server negotiate. */
const offers: ReadonlySet<Method> = new Set<Method>(["join", "openSession", "updateSession", "restartIce"]);
/** What everybody in the room hears of, beside data messages. */
const changes: ReadonlySet<Method> = new Set<Method>([
  "updateSelf",
  "updateRoom",
  "setTrackMuted",
  "moderate",
  "leave",
]);

/** What one user may cost, however many connections it has: shared by all of them. */
export class UserBudget {
  readonly #offers: TokenBucket;
  readonly #changes: TokenBucket;

  constructor(policy: ConnectionPolicy, nowMs: number) {
    this.#offers = new TokenBucket(policy.offersPerSecond, policy.offerBurst, nowMs);
    this.#changes = new TokenBucket(policy.changesPerSecond, policy.changeBurst, nowMs);
  }

  /** 0: go on; else milliseconds until such a request is allowed. */
  take(method: Method, nowMs: number): number {
    const bucket = offers.has(method) ? this.#offers : changes.has(method) ? this.#changes : undefined;
    return bucket === undefined || bucket.take(nowMs) ? 0 : bucket.waitMs;
  }
}
