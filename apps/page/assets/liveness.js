/**
 * Decides from what arrives whether the path to the server is alive.
 *
 * A browser calls a dead path "disconnected" only after some five seconds. A server that carries media, or feedback for media, sends
 * something at least every few hundred milliseconds, so silence is noticed much sooner. Silence alone proves nothing (a stream that nobody
 * publishes is silent as well), so it only says "ask the server", and the server's answer decides.
 *
 * No clock in here: the caller passes the time.
 */

/** Without a byte for this long while media flows, the server is asked. Feedback comes every 100 ms or so; 700 ms is a clear gap. */
const FLOWING_SILENCE_MS = 700;
/** The same while no media is expected (nobody publishes yet): a cheap question now and then. */
const IDLE_SILENCE_MS = 1500;
/** Between two questions. */
const ASK_INTERVAL_MS = 500;
/**
 * The session still exists, yet nothing comes although media flowed: the path itself is dead (the network changed). Consent checks
 * would take far longer to say so.
 */
const DEAD_PATH_MS = 5000;

export class Liveness {
  #lastBytes = -1;
  #lastGrowthMs;
  #lastAskMs = -Infinity;
  #flowing = false;

  /** @param {number} nowMs */
  constructor(nowMs) {
    this.#lastGrowthMs = nowMs;
  }

  /**
   * @param {number} nowMs
   * @param {number} receivedBytes everything that came over the transport so far
   * @returns {"alive" | "ask" | "dead"} `ask`: put the question to the server now; `dead`: make a new session
   */
  sample(nowMs, receivedBytes) {
    if (receivedBytes > this.#lastBytes) {
      // Two growths within a short time are a flow; a lone answer to a consent check is not.
      this.#flowing = this.#lastBytes >= 0 && nowMs - this.#lastGrowthMs < FLOWING_SILENCE_MS;
      this.#lastBytes = receivedBytes;
      this.#lastGrowthMs = nowMs;
      return "alive";
    }
    const silentMs = nowMs - this.#lastGrowthMs;
    if (this.#flowing && silentMs >= DEAD_PATH_MS) return "dead";
    const limitMs = this.#flowing ? FLOWING_SILENCE_MS : IDLE_SILENCE_MS;
    if (silentMs >= limitMs && nowMs - this.#lastAskMs >= (this.#flowing ? ASK_INTERVAL_MS : IDLE_SILENCE_MS)) {
      this.#lastAskMs = nowMs;
      return "ask";
    }
    return "alive";
  }

  /** The publisher stopped, by the server's word: silence is what is expected now. */
  expectSilence() {
    this.#flowing = false;
  }
}

/** Waits between attempts: the first at once, then doubling up to a ceiling that keeps "back within five seconds of ready" true. */
export class Backoff {
  #attempt = 0;

  /** @returns {number} milliseconds to wait before the next attempt */
  nextMs() {
    const waitMs = this.#attempt === 0 ? 0 : Math.min(2000, 250 * 2 ** (this.#attempt - 1));
    this.#attempt += 1;
    return waitMs;
  }

  reset() {
    this.#attempt = 0;
  }
}
