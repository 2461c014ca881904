import { Backoff, Liveness } from "./liveness.js";
import { Failure, failureOfResponse, readProblem } from "./failures.js";
import { collectStatistics } from "./statistics.js";

/**
 * One stream published over WHIP (RFC 9725) or watched over WHEP, for as long as the user wants it: it makes new PeerConnections by
 * itself when the server dies and comes back. A PeerConnection cannot outlive its server, so nothing is repaired, all is made anew.
 *
 * Events, all with `detail`: `state` (a {@link SessionState}), `statistics`, `peer` (a new RTCPeerConnection, before its offer).
 *
 * @typedef {{ name: "connecting" | "live" | "waiting" | "reconnecting" | "server-away" | "stopped" }
 *   | { name: "failed", failure: Failure }} SessionState
 */

/** How often what arrives is looked at; a quarter of the shortest silence that means something. */
const WATCH_INTERVAL_MS = 250;
/** Shown figures change twice a second at most. */
const STATISTICS_INTERVAL_MS = 500;
/** A server that is ready answers an offer within some 100 ms; one that is starting may take longer. */
const OFFER_TIMEOUT_MS = 4000;
/** From the answer to a connected transport; ICE over TCP is tried late, so not shorter. */
const CONNECT_TIMEOUT_MS = 8000;
/** A question to a server that is alive comes back in milliseconds. */
const QUESTION_TIMEOUT_MS = 800;
/** While the server is away, and nothing else costs anything. */
const HEALTH_INTERVAL_MS = 250;
/** Media that was there and stopped for so long: shown as waiting. */
const WAITING_AFTER_MS = 1500;

export class MediaSession extends EventTarget {
  #options;
  #stop = new AbortController();
  #state = { name: "stopped" };
  #wasLive = false;

  /**
   * @param {{ kind: "publish" | "watch", endpoint: string, getToken: (fresh: boolean) => Promise<string>,
   *   preparePeer: (peer: RTCPeerConnection) => void }} options
   *   `getToken(true)` is asked after a refusal; `preparePeer` adds the tracks or transceivers
   */
  constructor(options) {
    super();
    this.#options = options;
  }

  get state() {
    return this.#state;
  }

  /** Runs until {@link stop} or a failure that trying again cannot mend. Never throws. */
  async run() {
    const backoff = new Backoff();
    let freshToken = false;
    this.#enter({ name: "connecting" });
    while (!this.#stop.signal.aborted) {
      await this.#sleep(backoff.nextMs());
      if (this.#stop.signal.aborted) break;
      const outcome = await this.#live(freshToken, backoff);
      freshToken = outcome === "refused";
      if (outcome instanceof Failure) {
        this.#enter({ name: "failed", failure: outcome });
        return;
      }
      if (this.#stop.signal.aborted) break;
      if (outcome === "away") {
        this.#enter({ name: "server-away" });
        // A server that says it is ready and yet refuses is not asked without a pause.
        if (await this.#untilReady()) backoff.reset();
      } else if (this.#wasLive) {
        this.#enter({ name: "reconnecting" });
      }
    }
    this.#enter({ name: "stopped" });
  }

  /** Ends the stream; the server is told. Idempotent. */
  stop() {
    this.#stop.abort();
  }

  /**
   * One PeerConnection, from offer to end.
   *
   * @param {boolean} freshToken
   * @param {Backoff} backoff
   * @returns {Promise<Failure | "away" | "again" | "refused">}
   */
  async #live(freshToken, backoff) {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    /** @type {Resource | undefined} */
    let resource;
    try {
      this.#options.preparePeer(peer);
      this.dispatchEvent(new CustomEvent("peer", { detail: peer }));
      await peer.setLocalDescription();
      const posted = await this.#offer(peer, freshToken);
      if (posted instanceof Failure || typeof posted === "string") return posted;
      resource = posted.resource;
      await peer.setRemoteDescription({ type: "answer", sdp: posted.answer });
      return await this.#watch(peer, resource, backoff);
    } catch (error) {
      if (this.#stop.signal.aborted) return "again";
      if (error instanceof Failure) return error;
      return new Failure("unexpected", error instanceof Error ? error.message : String(error));
    } finally {
      peer.close();
      if (resource !== undefined && this.#stop.signal.aborted) resource.remove();
    }
  }

  /** The server is an ICE-lite agent that learns our addresses from our checks: the offer needs no candidates, so it goes at once. */
  async #offer(peer, freshToken) {
    const token = await this.#options.getToken(freshToken);
    if (this.#stop.signal.aborted) return "again";
    let response;
    try {
      response = await fetch(this.#options.endpoint, {
        method: "POST",
        headers: { "content-type": "application/sdp", ...(token === "" ? {} : { authorization: `Bearer ${token}` }) },
        body: peer.localDescription.sdp,
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(OFFER_TIMEOUT_MS)]),
      });
    } catch {
      return this.#stop.signal.aborted ? "again" : "away";
    }
    if (response.status === 201) {
      const resource = new Resource(
        new URL(response.headers.get("location") ?? "", response.url),
        response.headers.get("etag"),
        token,
      );
      return { resource, answer: await response.text() };
    }
    if (response.status === 401 && !freshToken) return "refused";
    if (response.status === 503 || response.status === 502 || response.status === 504) return "away";
    if (response.status === 500 && this.#wasLive) return "again";
    return failureOfResponse(response.status, await response.text());
  }

  /**
   * Looks at what arrives until the session is over.
   *
   * @param {RTCPeerConnection} peer
   * @param {Resource} resource
   * @param {Backoff} backoff
   */
  async #watch(peer, resource, backoff) {
    const answeredAtMs = performance.now();
    let liveness = new Liveness(answeredAtMs);
    let connected = false;
    let statistics;
    let mediaAtMs = answeredAtMs;
    let shownAtMs = -Infinity;
    while (!this.#stop.signal.aborted) {
      if (peer.connectionState === "failed" || peer.connectionState === "closed") return "again";
      const nowMs = performance.now();
      if (!connected) {
        if (peer.connectionState === "connected") {
          connected = true;
          liveness = new Liveness(nowMs);
          mediaAtMs = nowMs;
        } else if (nowMs - answeredAtMs > CONNECT_TIMEOUT_MS) {
          return this.#wasLive ? "again" : new Failure("no-path");
        }
      }
      if (connected) {
        const previous = statistics;
        statistics = await collectStatistics(peer, this.#options.kind, previous);
        if (previous !== undefined && statistics.mediaBytes > previous.mediaBytes) mediaAtMs = nowMs;
        const flows = statistics.mediaBytes > 0 && nowMs - mediaAtMs < WAITING_AFTER_MS;
        if (flows) {
          this.#wasLive = true;
          backoff.reset();
        }
        this.#enter({ name: flows || this.#options.kind === "publish" ? "live" : "waiting" });
        if (nowMs - shownAtMs >= STATISTICS_INTERVAL_MS) {
          shownAtMs = nowMs;
          this.dispatchEvent(new CustomEvent("statistics", { detail: statistics }));
        }
        const verdict = liveness.sample(nowMs, statistics.receivedUnits);
        if (verdict === "dead") return "again";
        if (verdict === "ask") {
          const answer = await resource.ask(this.#stop.signal);
          if (answer === "away") return "away";
          if (answer === "gone") return "again";
          if (answer instanceof Failure) return answer;
        }
      }
      await this.#sleep(connected ? WATCH_INTERVAL_MS : 25);
    }
    return "again";
  }

  /**
   * Asks the server's health until it is ready again.
   *
   * @returns {Promise<boolean>} whether it had been away at all
   */
  async #untilReady() {
    let wasAway = false;
    while (!this.#stop.signal.aborted) {
      try {
        const response = await fetch("/healthz/ready", {
          cache: "no-store",
          signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(QUESTION_TIMEOUT_MS)]),
        });
        if (response.ok) return wasAway;
      } catch {
        // Away still: that is what is being waited for.
      }
      wasAway = true;
      await this.#sleep(HEALTH_INTERVAL_MS);
    }
    return wasAway;
  }

  #enter(state) {
    if (state.name === this.#state.name) return;
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  /** Ends early when the session is stopped. */
  #sleep(waitMs) {
    if (waitMs <= 0 || this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#stop.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#stop.signal.addEventListener("abort", done);
    });
  }
}

/** The WHIP or WHEP session resource that the server made for us (RFC 9725, 4.1). */
class Resource {
  #url;
  #etag;
  #token;

  /**
   * @param {URL} url
   * @param {string | null} etag
   * @param {string} token
   */
  constructor(url, etag, token) {
    this.#url = url;
    this.#etag = etag;
    this.#token = token;
  }

  /**
   * Is it still there? A trickle PATCH without candidates (RFC 9725, 4.3.1) changes nothing and is answered 204 by a server that knows
   * the session, 404 by one that was started anew.
   *
   * @param {AbortSignal} stopSignal
   * @returns {Promise<"there" | "gone" | "away" | Failure>} a failure when the server ended the session for good
   */
  async ask(stopSignal) {
    try {
      const response = await fetch(this.#url, {
        method: "PATCH",
        headers: {
          ...this.#authorization(),
          "content-type": "application/trickle-ice-sdpfrag",
          ...(this.#etag === null ? {} : { "if-match": this.#etag }),
        },
        body: "a=end-of-candidates\r\n",
        signal: AbortSignal.any([stopSignal, AbortSignal.timeout(QUESTION_TIMEOUT_MS)]),
      });
      if (response.status === 404 || response.status === 410 || response.status === 403) {
        const body = await response.text();
        const { retry } = readProblem(body);
        return response.status === 404 || retry === "new-session" ? "gone" : failureOfResponse(response.status, body);
      }
      // The token ran out: the next offer finds out whether there is a newer one.
      if (response.status === 401) return "gone";
      if (response.status >= 500 && response.status !== 501) return "away";
      return "there";
    } catch {
      return stopSignal.aborted ? "there" : "away";
    }
  }

  /** Tells the server that we leave; survives the page being closed. */
  remove() {
    fetch(this.#url, { method: "DELETE", headers: this.#authorization(), keepalive: true }).catch(() => {
      // The server notices by itself that we are gone; telling it is only faster.
    });
  }

  #authorization() {
    return this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` };
  }
}
