import type { Clock, Timer } from "@parley/foundation";
import type { SessionAnswer } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError, sdkError } from "../api/error.ts";
import type { MediaState } from "../api/room-events.ts";
import { PathSampler } from "./path-sampler.ts";
import type { SessionContent } from "./session-content.ts";
import { SessionEnding } from "./session-ending.ts";
import type { OpenSessionInit, SessionRequests } from "./session-requests.ts";

export interface MediaSessionDeps {
  readonly clock: Clock;
  readonly createPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  readonly configuration: RTCConfiguration;
  readonly requests: SessionRequests;
}

export interface MediaSessionEvents {
  state: readonly [state: MediaState];
  /** Media has stopped although it should flow: the caller may want to see whether the server is there at all. */
  doubt: readonly [];
}

/** From the answer to "connected"; loss of the first flights of ICE and DTLS is repeated by then. */
const connectTimeoutMs = 8_000;
/** After an ICE restart packets must come within this, else everything is made anew. */
const restartTimeoutMs = 3_000;
/** A PeerConnection that was replaced is closed at the latest so long after its successor has connected. */
const takeOverMs = 5_000;
type TimerName = "connect" | "restart" | "rebuild" | "retry" | "takeOver";
/** Pauses before a PeerConnection is made anew, the last one for all that follow. */
const rebuildPausesMs = [0, 500, 1_000, 2_000, 4_000];

/**
 * One PeerConnection and its successors: negotiates (one offer at a time), watches the path, restarts ICE, and makes a new
 * PeerConnection when the old one is dead or unknown to the server. Make before break: the old one is closed only when the new one
 * brings what it brought (it may be alive after all, and its last picture is better than none).
 */
export class MediaSession extends TypedEmitter<MediaSessionEvents> {
  readonly name: string;
  readonly #content: SessionContent;
  readonly #deps: MediaSessionDeps;
  readonly #ending: SessionEnding;
  #pc: RTCPeerConnection | undefined;
  /** The one before, while it still shows something that the new one does not. */
  #retired: RTCPeerConnection | undefined;
  /** Whether this PeerConnection has ever been connected. */
  #hasConnected = false;
  #isRestarting = false;
  /** Of the present PeerConnection. */
  #sampler: PathSampler | undefined;
  /** Grows with every PeerConnection; what belongs to an older one is ignored. */
  #generation = 0;
  /** Rejects when the PeerConnection is no longer ours; then the next one is watched. */
  #gone = goneSignal();
  #state: MediaState = "none";
  /** True once an answer has been set on this PeerConnection. */
  #isOpen = false;
  /** The server may have the session, whatever has become of our PeerConnection. */
  #isOffered = false;
  #chain: Promise<void> = Promise.resolve();
  /** Grows when the owner takes the session into its own hands; negotiations that began before are void. */
  #epoch = 0;
  /** Between `prepare` and its end. */
  #held: PromiseWithResolvers<void> | undefined;
  #waiting: Promise<void> | undefined;
  #rebuilds = 0;
  #timers: { [Name in TimerName]?: Timer } = {};

  constructor(name: string, content: SessionContent, deps: MediaSessionDeps) {
    super();
    this.name = name;
    this.#content = content;
    this.#deps = deps;
    this.#ending = new SessionEnding(name, deps.clock, deps.requests);
  }

  get pc(): RTCPeerConnection | undefined {
    return this.#pc;
  }

  get state(): MediaState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * The request that opens the session, for a caller that sends it together with others (a join). Until `accept` or `reset` no other
   * offer is made.
   */
  async prepare(): Promise<OpenSessionInit> {
    this.#epoch += 1;
    this.#held?.resolve();
    this.#held = Promise.withResolvers<void>();
    return this.#prepareNow();
  }

  async accept(answer: SessionAnswer): Promise<void> {
    const generation = this.#generation;
    const pc = this.#pc;
    if (pc === undefined) return;
    try {
      await this.unlessGone(pc.setRemoteDescription({ type: "answer", sdp: answer.answerSdp }));
    } catch (error) {
      if (generation !== this.#generation) return;
      throw sdkError("media-failed", error instanceof Error ? error.message : "", error);
    }
    if (generation !== this.#generation) return;
    const first = !this.#isOpen;
    this.#isOpen = true;
    this.#release();
    this.#content.answered(answer);
    if (!first || this.#hasConnected) return;
    this.#setTimer("connect", connectTimeoutMs, () => this.#lost());
  }

  /** Opens the session, or offers again. Calls while an offer waits its turn share it. */
  negotiate(): Promise<void> {
    this.#waiting ??= this.#enqueue(() => {
      this.#waiting = undefined;
      return this.#negotiateNow({});
    });
    return this.#waiting;
  }

  /** The way may have changed: keep the PeerConnection, find a new path. Falls back to {@link rebuild}. */
  restartIce(): void {
    if (!this.#isOpen || this.#isRestarting) return;
    this.#isRestarting = true;
    const generation = this.#generation;
    this.#enqueue(() => this.#negotiateNow({ iceRestart: true })).then(
      () => {
        // The way to the server may have been broken as well: the time counts from the answer.
        if (generation !== this.#generation) return;
        this.#sampler?.awaitReturn();
        this.#setTimer("restart", restartTimeoutMs, () => this.#lost());
      },
      () => {
        if (generation === this.#generation) this.#lost();
      },
    );
  }

  /** Calls back after a while, unless the PeerConnection is another one by then. Only the last call counts. */
  later(delayMs: number, callback: () => void): void {
    this.#setTimer("retry", delayMs, callback);
  }

  /** A new PeerConnection in place of this one, now or (after failures) soon. */
  rebuild(): void {
    const pauseMs = rebuildPausesMs[Math.min(this.#rebuilds, rebuildPausesMs.length - 1)] ?? 0;
    this.#rebuilds += 1;
    this.#retire();
    // Also when the answer to a join could not be taken.
    this.#release();
    this.#setState("lost");
    // What becomes of a failure: see #openNow, for another one may be there first.
    this.#setTimer("rebuild", pauseMs, () => void this.negotiate().catch(() => undefined));
  }

  #onRebuildFailed(error: unknown): void {
    if (!(error instanceof ParleyError) || error.retryable) {
      this.#lost();
      return;
    }
    // By another rebuild.
    if (error.code === "cancelled") return;
    this.end();
    this.#content.refused(error);
  }

  /** The content has found that nothing of the retired PeerConnection is needed any more. */
  takenOver(): void {
    if (this.#hasConnected) this.#releaseRetired();
  }

  /** Closes the PeerConnection; what it carried stays in the content. For who leaves the room, or joins it anew: no session is left of before. */
  reset(): void {
    this.#clear();
    this.#ending.cancel();
  }

  #clear(): void {
    this.#epoch += 1;
    this.#drop();
    this.#releaseRetired();
    this.#release();
    this.#rebuilds = 0;
    this.#isOffered = false;
    this.#setState("none");
  }

  /** As {@link reset}, and the server is told, which may have the session from an offer before. */
  end(): void {
    this.#endNow().catch(() => undefined);
  }

  /** Settles with the first attempt to tell. */
  async #endNow(): Promise<void> {
    const wasOffered = this.#isOffered;
    this.#clear();
    if (wasOffered) await this.#ending.start();
  }

  // ---- negotiation ----

  #enqueue(task: () => Promise<void>): Promise<void> {
    const run = this.#chain.then(task);
    this.#chain = run.catch(() => undefined);
    return run;
  }

  /**
   * For what waits on the PeerConnection, or on the server for it. A closed PeerConnection never settles what it was asked (WebRTC 4.4.1.2), and
   * what comes next would wait for that for ever.
   */
  unlessGone<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#gone.promise]);
  }

  #release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async #prepareNow(): Promise<OpenSessionInit> {
    this.#retire();
    const pc = this.#makePeer();
    const generation = this.#generation;
    this.#content.build(pc);
    const offerSdp = await this.#offer(pc, {});
    if (generation !== this.#generation) throw sdkError("cancelled");
    this.#isOffered = true;
    this.#ending.cancel();
    return { session: this.name, offerSdp, sections: this.#content.sections(), ...this.#content.openExtras() };
  }

  async #negotiateNow(options: RTCOfferOptions): Promise<void> {
    // One join may follow another.
    while (this.#held !== undefined) await this.#held.promise;
    const epoch = this.#epoch;
    const { requests } = this.#deps;
    if (this.#content.isEmpty) {
      // An offer whose sections are all rejected has no BUNDLE group, and browsers refuse it: the session ends instead.
      await this.#endNow();
      return;
    }
    if (this.#pc === undefined || !this.#isOpen) {
      await this.#openNow(epoch);
      return;
    }
    const generation = this.#generation;
    const pc = this.#pc;
    this.#content.prepareUpdate(pc);
    const offerSdp = await this.#offer(pc, options);
    if (generation !== this.#generation) return;
    try {
      const request = { session: this.name, offerSdp, sections: this.#content.sections() };
      const answer = await this.unlessGone(requests.update(request));
      if (generation === this.#generation) await this.accept(answer);
    } catch (error) {
      if (generation === this.#generation) await this.#onUpdateRefused(pc, error);
    }
  }

  /** Whoever came to do it: when it was to replace a PeerConnection that is lost, it is tried until it succeeds. */
  async #openNow(epoch: number): Promise<void> {
    const wasLost = this.#state === "lost";
    try {
      const request = await this.#prepareNow();
      if (epoch !== this.#epoch) throw sdkError("cancelled");
      const answer = await this.unlessGone(this.#deps.requests.open(request));
      if (epoch !== this.#epoch) throw sdkError("cancelled");
      await this.accept(answer);
    } catch (error) {
      if (wasLost && epoch === this.#epoch) this.#onRebuildFailed(error);
      throw error;
    }
  }

  async #onUpdateRefused(pc: RTCPeerConnection, error: unknown): Promise<void> {
    const code = error instanceof ParleyError ? error.code : "";
    if (code === "session-not-found" || code === "session-lost" || code === "media-failed") {
      this.#lost();
      return;
    }
    await this.unlessGone(pc.setLocalDescription({ type: "rollback" })).catch(() => undefined);
    throw error;
  }

  async #offer(pc: RTCPeerConnection, options: RTCOfferOptions): Promise<string> {
    const generation = this.#generation;
    try {
      const offer = await this.unlessGone(pc.createOffer(options));
      await this.unlessGone(pc.setLocalDescription(offer));
      // Candidates are not waited for: the server takes the address that packets really come from.
      return pc.localDescription?.sdp ?? offer.sdp ?? "";
    } catch (error) {
      if (generation !== this.#generation) throw sdkError("cancelled");
      throw sdkError("media-failed", error instanceof Error ? error.message : "", error);
    }
  }

  // ---- the PeerConnection ----

  #makePeer(): RTCPeerConnection {
    this.#generation += 1;
    const generation = this.#generation;
    const pc = this.#deps.createPeerConnection({ bundlePolicy: "max-bundle", ...this.#deps.configuration });
    this.#pc = pc;
    this.#setState(this.#state === "lost" ? "lost" : "connecting");
    const onChange = (): void => {
      if (generation === this.#generation) this.#onStateChange(pc);
    };
    pc.addEventListener("connectionstatechange", onChange);
    pc.addEventListener("iceconnectionstatechange", onChange);
    this.#sampler = new PathSampler({
      clock: this.#deps.clock,
      pc,
      expectsPackets: (sentPackets) => this.#content.expectsPackets(sentPackets),
      onSilent: () => this.#doubt(),
      onReturned: () => {
        this.#cancel("restart");
        this.#isRestarting = false;
      },
    });
    return pc;
  }

  #onStateChange(pc: RTCPeerConnection): void {
    if (pc.connectionState === "connected") {
      this.#cancel("connect");
      this.#rebuilds = 0;
      this.#hasConnected = true;
      this.#setState("connected");
      if (this.#content.isTakenOver) this.#releaseRetired();
      else if (this.#retired !== undefined) this.#setTimer("takeOver", takeOverMs, () => this.#releaseRetired());
      this.#sampler?.start();
    } else if (pc.connectionState === "failed" || pc.connectionState === "closed") {
      this.#lost();
    } else if (pc.iceConnectionState === "disconnected") {
      this.#doubt();
    }
  }

  /** The path may be dead. */
  #doubt(): void {
    this.emit("doubt");
    this.restartIce();
  }

  #lost(): void {
    if (this.#pc === undefined && this.#timers.rebuild !== undefined) return;
    this.emit("doubt");
    this.rebuild();
  }

  #drop(): void {
    const pc = this.#detach();
    if (pc === undefined) return;
    pc.close();
    this.#content.dropped();
  }

  /** Another PeerConnection is about to take the place of this one. */
  #retire(): void {
    const wasOfUse = this.#hasConnected;
    if (!wasOfUse) {
      this.#drop();
      return;
    }
    const pc = this.#detach();
    if (pc === undefined) return;
    this.#releaseRetired();
    this.#retired = pc;
    this.#content.retired();
  }

  #releaseRetired(): void {
    this.#cancel("takeOver");
    const pc = this.#retired;
    if (pc === undefined) return;
    this.#retired = undefined;
    pc.close();
    this.#content.released();
  }

  /** From here on the PeerConnection is nobody's. */
  #detach(): RTCPeerConnection | undefined {
    for (const name of ["connect", "restart", "rebuild", "retry"] as const) this.#cancel(name);
    this.#sampler?.stop();
    this.#sampler = undefined;
    this.#isRestarting = false;
    this.#isOpen = false;
    this.#hasConnected = false;
    const pc = this.#pc;
    if (pc !== undefined) {
      this.#generation += 1;
      this.#gone.reject(sdkError("cancelled"));
      this.#gone = goneSignal();
    }
    this.#pc = undefined;
    return pc;
  }

  #setState(state: MediaState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #setTimer(name: TimerName, delayMs: number, callback: () => void): void {
    this.#cancel(name);
    this.#timers[name] = this.#deps.clock.after(delayMs, () => {
      delete this.#timers[name];
      callback();
    });
  }

  #cancel(name: TimerName): void {
    this.#timers[name]?.cancel();
    delete this.#timers[name];
  }
}

function goneSignal(): PromiseWithResolvers<never> {
  const gone = Promise.withResolvers<never>();
  // Nobody may be waiting.
  gone.promise.catch(() => undefined);
  return gone;
}
