import { create } from "@bufbuild/protobuf";
import type { MediaPlaneEvent } from "@parley/domain-media-control";
import { type Bus, type Clock, subjects } from "@parley/foundation";
import { encodeMessage, GrantRequestSchema } from "@parley/protocol";

type StunEvent = Extract<MediaPlaneEvent, { type: "stun" }>;

export interface UnknownUfragsDeps {
  readonly nodeId: string;
  readonly bus: Bus;
  readonly clock: Clock;
  /** Called with a SessionGrant's bytes. */
  readonly onGrant: (payload: Uint8Array) => void;
  /** Called with the last check of a ufrag once its grant is there. */
  readonly replay: (ufrag: string, event: StunEvent) => void;
}

/** Asked for once in this time: longer than a client's retransmissions (RFC 8489 6.2.1) need to come again. */
const ASK_AGAIN_MS = 5000;
/** Ufrags in memory; one needs the site's key to invent more, so these are sessions that just ended, or grants on their way. */
const MAX_WAITING = 1024;
/** Requests in a second, whatever comes. */
const MAX_REQUESTS_PER_SECOND = 50;
const REQUEST_TIMEOUT_MS = 1000;

interface Waiting {
  readonly askedAtMs: number;
  event: StunEvent | undefined;
}

/**
 * Checks that are faster than their grant, or whose grant was lost: the first asks signaling, and the last one is kept and answered when
 * the grant comes, so that the client need not wait for its own retransmission.
 */
export class UnknownUfrags {
  readonly #deps: UnknownUfragsDeps;
  readonly #waiting = new Map<string, Waiting>();
  readonly #abort = new AbortController();
  #requestsInSecond = 0;

  constructor(deps: UnknownUfragsDeps) {
    this.#deps = deps;
  }

  ask(ufrag: string, event: StunEvent): void {
    const waiting = this.#waiting.get(ufrag);
    if (waiting !== undefined) {
      waiting.event = event;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING || this.#requestsInSecond >= MAX_REQUESTS_PER_SECOND) return;
    this.#requestsInSecond++;
    this.#waiting.set(ufrag, { askedAtMs: this.#deps.clock.monoMs(), event });
    void this.#request(ufrag);
  }

  /** A session with these local ufrags is here now. */
  granted(ufrags: readonly string[]): void {
    for (const ufrag of ufrags) {
      const event = this.#waiting.get(ufrag)?.event;
      this.#waiting.delete(ufrag);
      if (event !== undefined) this.#deps.replay(ufrag, event);
    }
  }

  /** Once a second. */
  sweep(nowMs: number): void {
    this.#requestsInSecond = 0;
    for (const [ufrag, { askedAtMs }] of this.#waiting) {
      if (nowMs - askedAtMs < ASK_AGAIN_MS) break;
      this.#waiting.delete(ufrag);
    }
  }

  close(): void {
    this.#abort.abort();
    this.#waiting.clear();
  }

  async #request(localUfrag: string): Promise<void> {
    const { bus, nodeId, onGrant } = this.#deps;
    const request = encodeMessage(GrantRequestSchema, create(GrantRequestSchema, { nodeId, localUfrag }));
    try {
      const options = { timeoutMs: REQUEST_TIMEOUT_MS, signal: this.#abort.signal };
      const reply = await bus.request(subjects.mediaGrantGet, request, options);
      if (reply.length > 0 && !this.#abort.signal.aborted) onGrant(reply);
    } catch {
      // Nobody to ask, or no answer: the client tries again, and after ASK_AGAIN_MS so do we.
    }
  }
}
