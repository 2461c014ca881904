import type { Clock, Timer } from "@parley/foundation";
import { ParleyError } from "../api/error.ts";
import type { SessionRequests } from "./session-requests.ts";

/** Pauses before the server is asked once more, the last one for all that follow. */
const pausesMs = [500, 1_000, 2_000, 4_000];

/**
 * That the server is to end a session, until it has said that it did: the link may be broken for longer than a request waits. Nobody else knows
 * it, and a server that does not hear it keeps the session until the client's consent has run out (docs/specs/protocol.md, "Sessions and slots").
 */
export class SessionEnding {
  readonly #session: string;
  readonly #clock: Clock;
  readonly #requests: SessionRequests;
  #failures = 0;
  #timer: Timer | undefined;
  /** Grows with every start and cancel; answers to older requests are nothing to us. */
  #turn = 0;

  constructor(session: string, clock: Clock, requests: SessionRequests) {
    this.#session = session;
    this.#clock = clock;
    this.#requests = requests;
  }

  /** Settles as the first request does; what may succeed later is asked again and again after that. */
  start(): Promise<void> {
    this.cancel();
    this.#failures = 0;
    return this.#ask();
  }

  /** The session is wanted again, under the same name, or has ended with our being in the room. */
  cancel(): void {
    this.#turn += 1;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #ask(): Promise<void> {
    const turn = this.#turn;
    try {
      await this.#requests.close(this.#session);
    } catch (error) {
      if (turn === this.#turn && error instanceof ParleyError && error.retryable) this.#askLater(error.retryAfterMs);
      throw error;
    }
  }

  #askLater(retryAfterMs: number): void {
    const pauseMs = pausesMs[Math.min(this.#failures, pausesMs.length - 1)] ?? 0;
    this.#failures += 1;
    this.#timer = this.#clock.after(Math.max(pauseMs, retryAfterMs), () => {
      this.#timer = undefined;
      this.#ask().catch(() => undefined);
    });
  }
}
