import type { Clock } from "@parley/foundation";
import { ClientSessionState, type SessionAnswer, type SlotResult } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError } from "../api/error.ts";
import type { MediaOptions } from "../api/options.ts";
import type { MediaState } from "../api/room-events.ts";
import type { RoomStats } from "../api/stats.ts";
import { AudioOutput } from "../media/audio-output.ts";
import type { MediaSession } from "../media/media-session.ts";
import { Publisher } from "../media/publisher.ts";
import type { OpenSessionInit, SessionRequests } from "../media/session-requests.ts";
import { StatsSummary } from "../media/stats.ts";
import { Subscriber } from "../media/subscriber.ts";
import type { Platform } from "../platform/platform.ts";
import { Receiver } from "./receiver.ts";
import type { RemotePublication } from "./remote-publication.ts";
import type { RemoteRoster } from "./remote-roster.ts";
import { reportsOf } from "./room-stats.ts";

export interface RoomMediaEvents {
  state: readonly [direction: "send" | "receive", state: MediaState];
  /** Media has stopped although it should flow. */
  doubt: readonly [];
  subscribed: readonly [publication: RemotePublication, track: MediaStreamTrack];
  unsubscribed: readonly [publication: RemotePublication];
  failed: readonly [publication: RemotePublication, error: ParleyError];
}

const defaultInitialPairs = 4;
const defaultMaxPairs = 30;

/** What a room sends and receives: one PeerConnection for each direction, and the players. Without WebRTC there is neither. */
export class RoomMedia extends TypedEmitter<RoomMediaEvents> {
  readonly publisher: Publisher | undefined;
  readonly output: AudioOutput;
  readonly #clock: Clock;
  readonly #subscriber: Subscriber | undefined;
  readonly #receiver: Receiver | undefined;
  readonly #stats = new StatsSummary();

  constructor(platform: Platform, options: MediaOptions, requests: SessionRequests) {
    super();
    this.#clock = platform.clock;
    this.output = new AudioOutput(platform.document);
    const { createPeerConnection } = platform;
    if (createPeerConnection === undefined) return;
    const configuration = options.rtcConfiguration ?? {};
    const deps = { clock: platform.clock, createPeerConnection, configuration, requests };
    this.publisher = new Publisher(deps);
    this.#follow("send", this.publisher.session);
    if (options.receive === false) return;
    this.#subscriber = new Subscriber(deps, {
      initialPairs: options.initialPairs ?? defaultInitialPairs,
      maxPairs: options.maxPairs ?? defaultMaxPairs,
      expectsMedia: () => this.#receiver?.expectsMedia ?? false,
    });
    this.#receiver = new Receiver(this.#subscriber, this.output);
    this.#follow("receive", this.#subscriber.session);
    this.#receiver.on("subscribed", (publication, track) => this.emit("subscribed", publication, track));
    this.#receiver.on("unsubscribed", (publication) => this.emit("unsubscribed", publication));
    this.#receiver.on("failed", (publication, error) => this.emit("failed", publication, error));
  }

  // ---- joining ----

  /** Offers that travel with the join: receiving always, sending when there is something to send. */
  prepare(): Promise<OpenSessionInit[]> {
    const sessions: MediaSession[] = [];
    if (this.#subscriber !== undefined) sessions.push(this.#subscriber.session);
    if (this.publisher !== undefined && !this.publisher.isEmpty) sessions.push(this.publisher.session);
    return Promise.all(sessions.map((session) => session.prepare()));
  }

  accept(answers: readonly SessionAnswer[]): void {
    for (const session of this.#sessions()) {
      const answer = answers.find((candidate) => candidate.session === session.name);
      if (answer !== undefined) session.accept(answer).catch(() => session.rebuild());
      else if (session.pc !== undefined) session.reset();
    }
    if (this.#subscriber !== undefined && this.#subscriber.session.pc === undefined) {
      this.#subscriber.session.negotiate().catch((error: unknown) => this.#onOpenFailed(error));
    }
    // What was published while the join was under way, and what it could not carry.
    if (this.publisher?.tracks.some(({ streamId }) => streamId === 0) === true) this.publisher.offer();
  }

  #onOpenFailed(error: unknown): void {
    // Another PeerConnection has taken its place (a move, a join), or is about to: it is not to be touched.
    if (error instanceof ParleyError && (error.code === "cancelled" || error.code === "connection-lost")) return;
    // Without permission to subscribe there is nothing to receive; anything that may change comes again with the next join.
    if (error instanceof ParleyError && error.retryable) this.#subscriber?.session.rebuild();
    else this.#subscriber?.session.reset();
  }

  /** Closes the PeerConnections; what is published stays, to be published again. */
  reset(): void {
    for (const session of this.#sessions()) session.reset();
    this.publisher?.leaveRoom();
  }

  close(): void {
    this.#subscriber?.close();
    this.publisher?.session.reset();
    this.publisher?.leaveRoom();
    this.output.close();
  }

  // ---- while in the room ----

  /** What is wanted of the others may have changed; `rankOf`: smaller is preferred. */
  update(publications: Iterable<RemotePublication>, rankOf: (publication: RemotePublication) => number): void {
    this.#receiver?.update(publications, rankOf);
  }

  volumeChanged(publication: RemotePublication): void {
    this.#receiver?.volumeChanged(publication);
  }

  /** Looks at the packets now. */
  look(): void {
    this.#subscriber?.look();
  }

  slotsChanged(session: string, slots: readonly SlotResult[]): void {
    if (session === this.#subscriber?.session.name) this.#subscriber.slotsChanged(slots);
  }

  sessionState(name: string, state: ClientSessionState): void {
    if (state !== ClientSessionState.LOST) return;
    const session = this.#sessions().find((one) => one.name === name);
    // News of a session that we have replaced already needs nothing.
    if (session !== undefined && session.isOpen) session.rebuild();
  }

  /** The way may be another now. */
  restartIce(): void {
    for (const session of this.#sessions()) session.restartIce();
  }

  async getStats(
    remote: RemoteRoster,
    localParticipantId: string,
    signalRttMs: number | undefined,
  ): Promise<RoomStats> {
    const reports = await reportsOf({
      publisher: this.publisher,
      subscriber: this.#subscriber,
      receiver: this.#receiver,
      remote,
      localParticipantId,
    });
    return this.#stats.summarise(reports, this.#clock.monoMs(), signalRttMs);
  }

  #sessions(): MediaSession[] {
    return [this.#subscriber?.session, this.publisher?.session].filter((session) => session !== undefined);
  }

  #follow(direction: "send" | "receive", session: MediaSession): void {
    session.on("state", (state) => this.emit("state", direction, state));
    session.on("doubt", () => this.emit("doubt"));
  }
}
