import type { ConnectionAlive } from "@parley/protocol";

/** Connections are announced every second; who is silent for so long has gone. */
const forgetMs = 60_000;
const sweepEveryMs = 10_000;

/** Shared by all that one list names. */
interface Known {
  readonly ownerId: string;
  heardAtMs: number;
}

/**
 * Which process holds a connection, as far as it has said so itself: an event for many of them is one message then. A connection never changes its
 * holder, so nothing here can be wrong, only missing.
 */
export class ConnectionOwners {
  readonly #owners = new Map<string, Known>();
  readonly #lists = new WeakMap<readonly ConnectionAlive[], Known>();
  #sweptAtMs = 0;

  heard(connectionId: string, ownerId: string, nowMs: number): void {
    if (ownerId === "") return;
    const known = this.#owners.get(connectionId);
    if (known?.ownerId === ownerId) known.heardAtMs = nowMs;
    else this.#owners.set(connectionId, { ownerId, heardAtMs: nowMs });
  }

  /** The same list is heard again and again, as long as nothing has changed in it: then it costs nothing. */
  heardAll(connections: readonly ConnectionAlive[], ownerId: string, nowMs: number): void {
    if (ownerId === "") return;
    let known = this.#lists.get(connections);
    if (known !== undefined) {
      known.heardAtMs = nowMs;
      return;
    }
    known = { ownerId, heardAtMs: nowMs };
    this.#lists.set(connections, known);
    for (const { connectionId } of connections) this.#owners.set(connectionId, known);
  }

  forget(connectionId: string): void {
    this.#owners.delete(connectionId);
  }

  /** The connections by who holds them, each group in their order; under "" those that nobody has claimed. */
  group(connectionIds: readonly string[]): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const connectionId of connectionIds) {
      const ownerId = this.#owners.get(connectionId)?.ownerId ?? "";
      const group = groups.get(ownerId);
      if (group === undefined) groups.set(ownerId, [connectionId]);
      else group.push(connectionId);
    }
    return groups;
  }

  sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < sweepEveryMs) return;
    this.#sweptAtMs = nowMs;
    for (const [connectionId, { heardAtMs }] of this.#owners) {
      if (nowMs - heardAtMs > forgetMs) this.#owners.delete(connectionId);
    }
  }
}
