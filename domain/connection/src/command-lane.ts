/** Why an attempt to reach a room's owner brought no answer. */
export type AttemptFailure = "timeout" | "no-responders" | "aborted" | "closed";

export type LaneOutput<Command> =
  | { readonly type: "send"; readonly id: number; readonly command: Command; readonly timeoutMs: number }
  /** No answer before the deadline. */
  | { readonly type: "give-up"; readonly id: number; readonly reason: "timeout" | "unavailable" };

export interface LanePolicy {
  /** One attempt: a lost message costs this much. Owners answer in milliseconds; 1.5 s is far outside. */
  readonly attemptMs: number;
  /** Pause before commands are sent again when nobody owned the room: the time a lease needs to move. */
  readonly retryMs: number;
}

export const defaultLanePolicy: LanePolicy = { attemptMs: 1_500, retryMs: 100 };

interface Entry<Command> {
  readonly id: number;
  readonly command: Command;
  readonly deadlineAtMs: number;
  inFlight: boolean;
  everReached: boolean;
}

/**
 * Commands of one connection to one room, kept in order over failures: sent at once while all goes well; after a failure all
 * that are unanswered are sent again, oldest first, until they are answered or their deadline passes. Owners recognise repeats by id.
 */
export class CommandLane<Command> {
  readonly #policy: LanePolicy;
  readonly #entries: Entry<Command>[] = [];
  #retryAtMs: number | undefined;

  constructor(policy: LanePolicy = defaultLanePolicy) {
    this.#policy = policy;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** When `tick` has something to do; undefined: nothing. */
  get nextAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  add(id: number, command: Command, deadlineAtMs: number, nowMs: number): readonly LaneOutput<Command>[] {
    const entry: Entry<Command> = { id, command, deadlineAtMs, inFlight: false, everReached: false };
    this.#entries.push(entry);
    return this.#retryAtMs === undefined ? [this.#send(entry, nowMs)] : [];
  }

  answered(id: number): void {
    const index = this.#entries.findIndex((entry) => entry.id === id);
    if (index >= 0) this.#entries.splice(index, 1);
  }

  failed(id: number, failure: AttemptFailure, nowMs: number): readonly LaneOutput<Command>[] {
    const entry = this.#entries.find((candidate) => candidate.id === id);
    if (entry === undefined) return [];
    entry.inFlight = false;
    if (failure === "timeout") entry.everReached = true;
    this.#retryAtMs ??= nowMs + (failure === "timeout" ? 0 : this.#policy.retryMs);
    return failure === "closed" || failure === "aborted" ? this.#giveUp(() => true) : this.tick(nowMs);
  }

  tick(nowMs: number): readonly LaneOutput<Command>[] {
    const outputs = this.#giveUp((entry) => !entry.inFlight && nowMs >= entry.deadlineAtMs);
    if (this.#retryAtMs === undefined || nowMs < this.#retryAtMs) return outputs;
    this.#retryAtMs = undefined;
    const resent = this.#entries.filter((entry) => !entry.inFlight).map((entry) => this.#send(entry, nowMs));
    return [...outputs, ...resent];
  }

  #send(entry: Entry<Command>, nowMs: number): LaneOutput<Command> {
    entry.inFlight = true;
    const timeoutMs = Math.max(1, Math.min(this.#policy.attemptMs, entry.deadlineAtMs - nowMs));
    return { type: "send", id: entry.id, command: entry.command, timeoutMs };
  }

  #giveUp(which: (entry: Entry<Command>) => boolean): LaneOutput<Command>[] {
    const gone = this.#entries.filter(which);
    for (const entry of gone) this.answered(entry.id);
    if (this.#entries.length === 0) this.#retryAtMs = undefined;
    return gone.map(({ id, everReached }) => ({
      type: "give-up",
      id,
      reason: everReached ? "timeout" : "unavailable",
    }));
  }
}
