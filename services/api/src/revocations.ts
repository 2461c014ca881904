import {
  decodeRevocations,
  encodeRevocations,
  type KeptRevocation,
  type RevocationStore,
  type TokenVerifier,
} from "@parley/domain-access";
import {
  err,
  ok,
  subjects,
  type Bus,
  type Clock,
  type Logger,
  type Result,
  type Subscription,
  type Timer,
} from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";

/** Against a bus that loses messages: each process has each revocation after this time at the latest. */
const announceMs = 30_000;

export interface RevocationsDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tokens: Pick<TokenVerifier, "revoke" | "revocations">;
  readonly store: RevocationStore;
  /** Something was revoked: living sessions are to be looked at. */
  readonly onRevoked: () => void;
}

/** Takes revocations, keeps them, and tells all processes that verify tokens. */
export class Revocations {
  readonly #deps: RevocationsDeps;
  #subscriptions: readonly Subscription[] = [];
  #timer: Timer | undefined;

  constructor(deps: RevocationsDeps) {
    this.#deps = deps;
  }

  /** To be awaited before the first request is taken. Rejects when what was kept cannot be read. */
  async start(): Promise<void> {
    const { bus, clock, store } = this.#deps;
    this.#apply(await store.load(clock.unixMs()));
    this.#subscriptions = [
      bus.subscribe(subjects.accessRevocations, ({ payload }) => this.#apply(decodeRevocations(payload) ?? [])),
      bus.subscribe(subjects.accessRevocationsWanted, () => this.#announce()),
    ];
    this.#timer = clock.every(announceMs, () => this.#announce());
    this.#announce();
    bus.publish(subjects.accessRevocationsWanted, new Uint8Array());
  }

  /** In force here, kept, and on its way to the others when this resolves. */
  async take(kept: KeptRevocation): Promise<Result<undefined, ParleyError>> {
    const { bus, logger, store } = this.#deps;
    if (!this.#apply([kept])) return err(parleyError("too-many-revocations"));
    for (const message of encodeRevocations([kept])) bus.publish(subjects.accessRevocations, message);
    try {
      await store.append(kept);
    } catch (error) {
      logger.error("a revocation could not be kept", { error: error instanceof Error ? error : String(error) });
      return err(parleyError("unavailable", "It is in force, but it was not kept for after a restart."));
    }
    return ok(undefined);
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#timer?.cancel();
    await this.#deps.store.close();
  }

  #apply(all: readonly KeptRevocation[]): boolean {
    if (all.length === 0) return true;
    const { clock, logger, tokens } = this.#deps;
    let taken = true;
    for (const kept of all) taken = tokens.revoke(kept, clock.unixMs()) && taken;
    if (!taken) logger.error("an app has more revocations than are kept; give them an end, or replace the app's key");
    this.#deps.onRevoked();
    return taken;
  }

  #announce(): void {
    const { bus, clock, tokens } = this.#deps;
    for (const message of encodeRevocations(tokens.revocations(clock.unixMs()))) {
      bus.publish(subjects.accessRevocations, message);
    }
  }
}
