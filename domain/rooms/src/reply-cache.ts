/** Long enough for a resume and its repeats; a repeat after that has outlived its deadline. */
const keepMs = 60_000;
/** Per connection. A client has few requests unanswered at a time. */
const keepPerConnection = 128;

interface Kept<R> {
  readonly reply: R;
  readonly atMs: number;
}

/** The answers of each connection's last requests, so that a repeated request is answered without being done again. */
export class ReplyCache<R> {
  readonly #connections = new Map<string, Map<string, Kept<R>>>();
  #sweptAtMs = 0;

  get(appId: string, connectionId: string, requestKey: string): R | undefined {
    return this.#connections.get(`${appId} ${connectionId}`)?.get(requestKey)?.reply;
  }

  put(appId: string, connectionId: string, requestKey: string, reply: R, nowMs: number): void {
    const key = `${appId} ${connectionId}`;
    let kept = this.#connections.get(key);
    if (kept === undefined) {
      kept = new Map();
      this.#connections.set(key, kept);
    }
    kept.set(requestKey, { reply, atMs: nowMs });
    if (kept.size > keepPerConnection) {
      const [oldest] = kept.keys();
      if (oldest !== undefined) kept.delete(oldest);
    }
  }

  /** Forgets what is old. To be called now and then. */
  sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < keepMs / 4) return;
    this.#sweptAtMs = nowMs;
    for (const [key, kept] of this.#connections) {
      for (const [requestKey, { atMs }] of kept) if (nowMs - atMs > keepMs) kept.delete(requestKey);
      if (kept.size === 0) this.#connections.delete(key);
    }
  }
}
