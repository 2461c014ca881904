import type { ConnectionAlive } from "@parley/protocol";
import { pushEvent, wireError, type Outbox } from "./outbox.ts";

/** One announcement may have been on its way when the participant left; a second one, a second later, was not. */
const confirmedMs = 900;
const forgetMs = 5_000;

interface Stranger {
  readonly firstAtMs: number;
  lastAtMs: number;
}

/**
 * Connections that are announced as members of a room that does not know them: its owner has lost them (it was killed, and no media node held a
 * session of theirs). They are told, and join again.
 */
export class Strangers {
  readonly #seen = new Map<string, Stranger>();

  seen(out: Outbox, { appId, connectionId }: ConnectionAlive, roomId: string, nowMs: number): void {
    const key = JSON.stringify([appId, roomId, connectionId]);
    const stranger = this.#seen.get(key);
    if (stranger === undefined) {
      this.#seen.set(key, { firstAtMs: nowMs, lastAtMs: nowMs });
      return;
    }
    stranger.lastAtMs = nowMs;
    if (nowMs - stranger.firstAtMs < confirmedMs) return;
    this.#seen.delete(key);
    const error = wireError({ name: "not-in-room" });
    pushEvent(
      out,
      { appId, roomId, connectionIds: [connectionId], revision: 0n },
      { case: "removed", value: { error } },
    );
  }

  sweep(nowMs: number): void {
    for (const [key, { lastAtMs }] of this.#seen) if (nowMs - lastAtMs > forgetMs) this.#seen.delete(key);
  }
}
