import type { Joined, RoomEvent, RoomResponse, SessionAnswer } from "@parley/protocol";
import { ClientSessionState } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError, sdkError, wireError } from "../api/error.ts";
import type { JoinOptions, MediaOptions } from "../api/options.ts";
import type { HostTools, Participant } from "../api/participant.ts";
import type { JoinedRoom } from "../api/room.ts";
import type { RoomEvents } from "../api/room-events.ts";
import type { RoomStats } from "../api/stats.ts";
import type { ConnectionState, DisconnectReason, LobbyGuest, RoomInfo } from "../api/values.ts";
import { onDevicesChanged } from "../devices.ts";
import { AudioOutput } from "../media/audio-output.ts";
import type { MediaSession } from "../media/media-session.ts";
import { Publisher } from "../media/publisher.ts";
import type { OpenSessionInit, SessionRequests } from "../media/session-requests.ts";
import { StatsSummary } from "../media/stats.ts";
import { Subscriber } from "../media/subscriber.ts";
import type { Platform } from "../platform/platform.ts";
import { backoffMs } from "../signal/backoff.ts";
import type { LinkEvents, SignalLink } from "../signal/link.ts";
import { ActiveSpeakers } from "./active-speakers.ts";
import { hostTools } from "./host-tools.ts";
import { LocalParticipantState, type RoomMethod } from "./local-participant.ts";
import type { ParticipantState } from "./participant-state.ts";
import { Receiver } from "./receiver.ts";
import { RemoteRoster } from "./remote-roster.ts";
import { reportsOf } from "./room-stats.ts";
import { Roster, type RosterChange } from "./roster.ts";
import { kindToWire, leaveReasonFromWire, qualityFromWire, roomInfoFromWire, sourceFromWire } from "./wire-values.ts";

export interface RoomSessionDeps {
  readonly platform: Platform;
  readonly link: SignalLink;
  readonly options: MediaOptions;
  /** The room has another name now, or is over. */
  onMoved?(from: string, to: string): void;
}

/**
 * `out`: not in the room. `joining`: a join is under way (the first, or again after a break). `waiting`: in the lobby. `in`: joined; a
 * broken link is resumed under it.
 */
type Phase = "out" | "joining" | "waiting" | "in";

const defaultInitialPairs = 4;
const defaultMaxPairs = 30;
/** A join may have to wait for a room's new owner. */
const joinDeadlineMs = 15_000;
/** Reasons of a removal that nobody wanted: the room's owner has lost us, and we come back. */
const forgotten: ReadonlySet<string> = new Set(["not-in-room", "session-lost", "session-not-found", "token-expired"]);
/** A join is all or nothing; with these it may still do without media. */
const mediaRefusals: ReadonlySet<string> = new Set([
  "permission-denied",
  "grant-missing",
  "no-media-node",
  "no-common-codec",
]);
/** Of events that come before the answer to the join; more means that something is wrong, and a snapshot helps. */
const maxEarlyEvents = 1_000;

/** One room over a link: joins, follows its events, and joins again when the server has forgotten us. */
export class RoomSession extends TypedEmitter<RoomEvents> implements JoinedRoom {
  readonly localParticipant: LocalParticipantState;
  readonly host: HostTools;
  readonly #deps: RoomSessionDeps;
  readonly #link: SignalLink;
  readonly #roster = new Roster();
  readonly #remote: RemoteRoster;
  readonly #speakers = new ActiveSpeakers();
  readonly #publisher: Publisher | undefined;
  readonly #subscriber: Subscriber | undefined;
  readonly #receiver: Receiver | undefined;
  readonly #output: AudioOutput;
  readonly #stats = new StatsSummary();
  readonly #stops: (() => void)[] = [];
  #phase: Phase = "out";
  #state: ConnectionState = "disconnected";
  #roomId = "";
  #join: JoinOptions = {};
  #participantId = "";
  #early: RoomEvent[] = [];
  #snapshotAsked = false;
  /** Why it ended while a join was under way. */
  #endError: ParleyError | undefined;
  /** How many waited when the app was told last. */
  #toldLobby = 0;
  #rejoins = 0;
  /** Grows with every join and at the end; what belongs to an older one is void. */
  #turn = 0;

  constructor(deps: RoomSessionDeps) {
    super();
    this.#deps = deps;
    this.#link = deps.link;
    const { platform, options } = deps;
    this.#output = new AudioOutput(platform.document);
    const create = platform.createPeerConnection;
    if (create !== undefined) {
      const sessionDeps = {
        clock: platform.clock,
        createPeerConnection: create,
        configuration: options.rtcConfiguration ?? {},
        requests: this.#sessionRequests(),
      };
      this.#publisher = new Publisher(sessionDeps);
      if (options.receive !== false) {
        this.#subscriber = new Subscriber(sessionDeps, {
          initialPairs: options.initialPairs ?? defaultInitialPairs,
          maxPairs: options.maxPairs ?? defaultMaxPairs,
        });
        this.#receiver = new Receiver(this.#subscriber, this.#output);
      }
    }
    this.#remote = new RemoteRoster({
      clock: platform.clock,
      adaptiveStream: options.adaptiveStream ?? true,
      onDemand: () => this.#demandsChanged(),
      look: () => this.#subscriber?.look(),
      onVolume: (publication) => this.#receiver?.volumeChanged(publication),
    });
    this.localParticipant = this.#makeLocal();
    this.host = hostTools(
      (method) => this.#moderate(method),
      (id) => this.getParticipant(id)?.permissions,
    );
    this.#wireMedia();
    this.#wireRemote();
  }

  // ---- what the app sees ----

  get state(): ConnectionState {
    return this.#state;
  }
  get isWaiting(): boolean {
    return this.#phase === "waiting";
  }
  get info(): RoomInfo | undefined {
    return this.#roster.info === undefined ? undefined : roomInfoFromWire(this.#roster.info);
  }
  get id(): string {
    return this.#roomId;
  }
  get remoteParticipants(): RemoteRoster["participants"] {
    return this.#remote.participants;
  }
  get activeSpeakers(): readonly (Participant & ParticipantState)[] {
    return this.#speakers.now as readonly (Participant & ParticipantState)[];
  }
  get lobby(): readonly LobbyGuest[] {
    return this.#roster.lobby.map(({ participantId, userId, name, attributes }) => ({
      id: participantId,
      userId,
      name,
      attributes,
    }));
  }
  get canPlaybackAudio(): boolean {
    return this.#output.canPlay;
  }

  getParticipant(id: string): Participant | undefined {
    return id === this.#participantId && id !== "" ? this.localParticipant : this.#remote.participants.get(id);
  }

  startAudio(): Promise<void> {
    return this.#output.start();
  }

  async switchActiveDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    if (kind === "audiooutput") await this.#output.setDevice(deviceId);
    else await this.localParticipant.useDevice(kind === "videoinput" ? "camera" : "microphone", deviceId);
  }

  getActiveDevice(kind: MediaDeviceKind): string | undefined {
    if (kind === "audiooutput") return this.#output.deviceId;
    return this.localParticipant.deviceOf(kind === "videoinput" ? "camera" : "microphone");
  }

  async getStats(): Promise<RoomStats> {
    const reports = await reportsOf({
      publisher: this.#publisher,
      subscriber: this.#subscriber,
      receiver: this.#receiver,
      remote: this.#remote,
      localParticipantId: this.#participantId,
    });
    return this.#stats.summarise(reports, this.#deps.platform.clock.monoMs(), this.#link.rttMs);
  }

  /** Leaves; resolves when the server knows, or cannot be told. */
  async disconnect(): Promise<void> {
    if (this.#phase === "out" && this.#state === "disconnected") return;
    const told = this.#link.state === "connected" ? this.#request({ case: "leave", value: {} }, 2_000) : undefined;
    this.#end("left", undefined);
    await told?.catch(() => undefined);
  }

  // ---- joining ----

  /** Joins a room; the link may still be connecting. Resolves when in, or in the lobby. */
  async join(roomId: string, options: JoinOptions): Promise<void> {
    if (this.#phase !== "out") throw sdkError("bad-argument", "The room is joined already.");
    this.#listen();
    this.#roomId = roomId;
    this.#join = options;
    this.#participantId = "";
    this.#rejoins = 0;
    this.#endError = undefined;
    for (const { track, options: publish } of options.tracks ?? []) this.localParticipant.prepublish(track, publish);
    this.#setState("connecting");
    try {
      await this.#joinNow("");
    } catch (error) {
      const failure = error instanceof ParleyError ? error : sdkError("connect-failed", String(error), error);
      // The connection may have ended while the offers were made: its reason is the one that counts.
      const reason = this.#endError ?? failure;
      this.#end("failed", reason);
      throw reason;
    }
  }

  async #joinNow(replacesParticipantId: string): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#phase = "joining";
    this.#early = [];
    const sessions = await this.#prepareSessions();
    if (turn !== this.#turn) throw sdkError("cancelled");
    const { name = "", attributes = {}, kind } = this.#join;
    const value = {
      name,
      attributes: { ...attributes },
      sessions,
      replacesParticipantId,
      ...(kind === undefined ? {} : { kind: kindToWire(kind) }),
    };
    const response = await this.#request({ case: "join", value }, joinDeadlineMs).catch((error: unknown) => {
      const withoutMedia = error instanceof ParleyError && mediaRefusals.has(error.code) && sessions.length > 0;
      if (!withoutMedia || turn !== this.#turn) throw error;
      this.#resetMedia();
      return this.#request({ case: "join", value: { ...value, sessions: [] } }, joinDeadlineMs);
    });
    if (turn !== this.#turn) throw sdkError("cancelled");
    if (response?.result.case !== "joined") throw sdkError("connect-failed", "An answer of another kind.");
    this.#onJoined(response.result.value);
  }

  /** Offers that travel with the join: receiving always, sending when there is something to send. */
  async #prepareSessions(): Promise<OpenSessionInit[]> {
    const sessions: MediaSession[] = [];
    if (this.#subscriber !== undefined) sessions.push(this.#subscriber.session);
    if (this.#publisher !== undefined && !this.#publisher.isEmpty) sessions.push(this.#publisher.session);
    return Promise.all(sessions.map((session) => session.prepare()));
  }

  #onJoined(joined: Joined): void {
    this.#participantId = joined.participantId;
    this.#rejoins = 0;
    if (joined.waiting) {
      this.#phase = "waiting";
      this.#resetMedia();
      this.#setState("connected");
      this.emit("waiting");
      this.#flushEarly();
      return;
    }
    this.#phase = "in";
    this.#acceptSessions(joined.sessions);
    if (joined.snapshot !== undefined) this.#carryOut(this.#roster.reset(joined.snapshot, true));
    const before = this.#state;
    this.#setState("connected");
    this.emit(before === "reconnecting" ? "reconnected" : "connected");
    this.#flushEarly();
    this.#demandsChanged();
  }

  #acceptSessions(answers: readonly SessionAnswer[]): void {
    const sessions = [this.#subscriber?.session, this.#publisher?.session];
    for (const session of sessions) {
      if (session === undefined) continue;
      const answer = answers.find((candidate) => candidate.session === session.name);
      if (answer !== undefined) session.accept(answer).catch(() => session.rebuild());
      else if (session.pc !== undefined) session.reset();
    }
    if (this.#subscriber !== undefined && this.#subscriber.session.pc === undefined) {
      this.#subscriber.session.negotiate().catch((error: unknown) => this.#onOpenFailed(error));
    }
    // What was published while the join was under way, and what it could not carry.
    if (this.#publisher?.tracks.some(({ streamId }) => streamId === 0) === true) this.#publisher.offer();
  }

  #onOpenFailed(error: unknown): void {
    // Without permission to subscribe there is nothing to receive; anything that may change comes again with the next join.
    if (error instanceof ParleyError && error.retryable) this.#subscriber?.session.rebuild();
    else this.#subscriber?.session.reset();
  }

  /** The server does not know us any more: everything from the start, in place of who we were. */
  #rejoin(): void {
    if (this.#phase === "out") return;
    const replaces = this.#participantId;
    this.#setReconnecting();
    this.#joinNow(replaces).catch((error: unknown) => this.#onRejoinFailed(error));
  }

  #onRejoinFailed(error: unknown): void {
    if (this.#phase === "out") return;
    const reason = error instanceof ParleyError ? error : sdkError("media-failed", String(error), error);
    if (reason.code === "cancelled" || reason.code === "connection-lost") return;
    if (!reason.retryable) {
      this.#end("failed", reason);
      return;
    }
    const { clock, random } = this.#deps.platform;
    const turn = this.#turn;
    const pauseMs = Math.max(reason.retryAfterMs, backoffMs(this.#rejoins, random));
    this.#rejoins += 1;
    clock.after(pauseMs, () => {
      if (turn === this.#turn && this.#link.state === "connected") this.#rejoin();
    });
  }

  // ---- the link ----

  /** Listens while in a room. */
  #listen(): void {
    const on = <Name extends keyof LinkEvents>(name: Name, listener: (...args: LinkEvents[Name]) => void): void => {
      this.#link.on(name, listener);
      this.#stops.push(() => this.#link.off(name, listener));
    };
    on("state", (state) => {
      if (state === "reconnecting" && (this.#phase === "in" || this.#phase === "waiting")) this.#setReconnecting();
    });
    on("established", ({ resumed, first }) => {
      if (first || this.#phase === "out") return;
      if (!resumed) this.#rejoin();
      else if (this.#phase !== "joining" && this.#state === "reconnecting") {
        this.#setState("connected");
        this.emit("reconnected");
      }
    });
    on("event", (event) => {
      if (event.roomId === this.#roomId && this.#phase !== "out") this.#onEvent(event);
    });
    on("closed", (error) => {
      if (this.#phase !== "out") this.#end(error === undefined ? "left" : "failed", error);
    });
    this.#stops.push(
      this.#deps.platform.onNetworkChange((online) => {
        if (!online) return;
        this.#publisher?.session.restartIce();
        this.#subscriber?.session.restartIce();
      }),
    );
    // Others should not look at a frozen picture until the server gives up waiting for us.
    this.#stops.push(this.#deps.platform.onPageGone(() => void this.disconnect()));
    const { mediaDevices } = this.#deps.platform;
    if (mediaDevices !== undefined) {
      this.#stops.push(onDevicesChanged(() => this.emit("mediaDevicesChanged"), mediaDevices));
    }
  }

  #wireMedia(): void {
    this.#output.on("status", (canPlay) => this.emit("audioPlaybackStatusChanged", canPlay));
    const sessions = [
      ["send", this.#publisher?.session],
      ["receive", this.#subscriber?.session],
    ] as const;
    for (const [direction, session] of sessions) {
      session?.on("state", (state) => this.emit("mediaStateChanged", direction, state));
      session?.on("doubt", () => this.#link.probe());
    }
    this.#receiver?.on("subscribed", (publication, track) => {
      const participant = this.#remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackSubscribed", track, publication, participant);
    });
    this.#receiver?.on("unsubscribed", (publication) => {
      const participant = this.#remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackUnsubscribed", publication, participant);
    });
    this.#receiver?.on("failed", (publication, error) => {
      const participant = this.#remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackSubscriptionFailed", publication, participant, error);
    });
  }

  #wireRemote(): void {
    const remote = this.#remote;
    remote.on("joined", (participant) => this.emit("participantConnected", participant));
    remote.on("updated", (participant) => this.emit("participantUpdated", participant));
    remote.on("left", (participant, reason) => {
      this.#speakers.forget(participant.id);
      this.emit("participantDisconnected", participant, reason);
    });
    remote.on("published", (publication, participant) => this.emit("trackPublished", publication, participant));
    remote.on("unpublished", (publication, participant) => this.emit("trackUnpublished", publication, participant));
    remote.on("muted", (publication, participant) => this.emit("trackMuted", publication, participant));
    remote.on("unmuted", (publication, participant) => this.emit("trackUnmuted", publication, participant));
  }

  #makeLocal(): LocalParticipantState {
    return new LocalParticipantState({
      options: this.#deps.options,
      mediaDevices: this.#deps.platform.mediaDevices,
      publisher: this.#publisher,
      request: (method) => this.#ask(method).then(() => undefined),
      isJoined: () => this.#phase === "in",
      onPublished: (publication) => this.emit("localTrackPublished", publication),
      onUnpublished: (publication) => this.emit("localTrackUnpublished", publication),
      onMuteChange: (publication, change) => {
        this.emit(change === "muted" ? "trackMuted" : "trackUnmuted", publication, this.localParticipant);
      },
      onEnded: (publication) => {
        this.emit("localTrackEnded", publication);
        // The browser's own button ended the screen; a device that was pulled out leaves its place for another one.
        const over = publication.source === "screen" || publication.source === "screen-audio";
        (over ? this.localParticipant.unpublishTrack(publication) : publication.mute()).catch(() => undefined);
      },
      onDeviceError: (error, source) => this.emit("mediaDevicesError", error, source),
    });
  }

  // ---- requests ----

  /** As {@link #request}, only while in the room. */
  async #ask(method: RoomMethod): Promise<RoomResponse | undefined> {
    if (this.#phase === "out") throw sdkError("not-connected");
    if (this.#phase === "joining") throw sdkError("connection-lost");
    try {
      return await this.#request(method);
    } catch (error) {
      if (error instanceof ParleyError && error.code === "not-in-room" && this.#link.state === "connected") {
        if (this.#phase === "in") this.#rejoin();
        throw sdkError("connection-lost");
      }
      throw error;
    }
  }

  async #moderate(method: RoomMethod): Promise<void> {
    try {
      await this.#ask(method);
    } catch (error) {
      // The room's end may overtake the answer to the command that ended it.
      const closes = method.case === "moderate" && method.value.command?.case === "closeRoom";
      if (!closes || this.#phase !== "out") throw error;
    }
  }

  #request(method: RoomMethod, deadlineMs?: number): Promise<RoomResponse | undefined> {
    return this.#link.request({ case: "room", value: { roomId: this.#roomId, method } }, deadlineMs);
  }

  #sessionRequests(): SessionRequests {
    const answered = (response: RoomResponse | undefined): SessionAnswer => {
      if (response?.result.case !== "session") throw sdkError("media-failed", "An answer of another kind.");
      return response.result.value;
    };
    return {
      open: async (value) => answered(await this.#ask({ case: "openSession", value })),
      update: async (value) => answered(await this.#ask({ case: "updateSession", value })),
      bind: async (value) => {
        const response = await this.#ask({ case: "bindSlots", value });
        return response?.result.case === "slots" ? response.result.value.slots : [];
      },
      close: async (session) => {
        await this.#ask({ case: "closeSession", value: { session } });
      },
    };
  }

  // ---- events ----

  #onEvent(event: RoomEvent): void {
    if (this.#phase === "joining") {
      if (this.#early.length < maxEarlyEvents) this.#early.push(event);
      return;
    }
    if (this.#onMembership(event)) return;
    const changes = this.#roster.apply(event);
    if (changes === "gap") {
      this.#askSnapshot();
      return;
    }
    this.#carryOut(changes);
    this.#onOccurrence(event);
  }

  #flushEarly(): void {
    for (const event of this.#early.splice(0)) this.#onEvent(event);
  }

  /** What ends or changes our being here. */
  #onMembership({ event }: RoomEvent): boolean {
    switch (event.case) {
      case "roomClosed":
        this.#end("room-closed", undefined);
        return true;
      case "removed": {
        const error = event.value.error === undefined ? undefined : wireError(event.value.error);
        if (error !== undefined && forgotten.has(error.code)) {
          this.#rejoin();
          return true;
        }
        this.#end(error?.code === "replaced" ? "replaced" : "removed", error);
        return true;
      }
      case "admitted":
        if (this.#phase !== "waiting") return true;
        if (!event.value.admitted || event.value.joined === undefined) {
          this.#end("removed", sdkError("cancelled", "A host did not let us in."));
          return true;
        }
        this.#onJoined(event.value.joined);
        this.emit("admitted");
        return true;
      case "moved":
        this.#onMoved(event.value.toRoomId, event.value.joined);
        return true;
      default:
        return false;
    }
  }

  #onMoved(toRoomId: string, joined: Joined | undefined): void {
    const from = this.#roomId;
    this.#turn += 1;
    this.#resetMedia();
    this.#remote.clear("moved");
    this.#roomId = toRoomId;
    this.#deps.onMoved?.(from, toRoomId);
    if (joined === undefined) this.#rejoin();
    else this.#onJoined(joined);
    this.emit("moved", toRoomId);
  }

  #onOccurrence({ event }: RoomEvent): void {
    switch (event.case) {
      case "unmuteAsked":
        this.emit("unmuteAsked", sourceFromWire(event.value.source), event.value.byParticipantId);
        break;
      case "mutedByHost": {
        const publication = this.localParticipant.find(event.value.streamId, event.value.mid);
        if (publication === undefined) break;
        publication.silence().catch(() => undefined);
        this.emit("mutedByHost", publication, event.value.byParticipantId);
        break;
      }
      case "speakersChanged":
        this.#speakers.update(event.value.speakers, (id) => this.getParticipant(id) as ParticipantState | undefined);
        this.emit("activeSpeakersChanged", this.activeSpeakers);
        this.#demandsChanged();
        break;
      case "slotsChanged":
        if (event.value.session === "sub") this.#subscriber?.slotsChanged(event.value.slots);
        break;
      case "codecWanted": {
        const { streamId, mid, codec, wanted } = event.value;
        this.#publisher?.backup(streamId, mid, codec, wanted);
        break;
      }
      case "sessionState":
        this.#onSessionState(event.value.session, event.value.state);
        break;
      case "dataReceived": {
        const { payload, topic, reliable, fromParticipantId: from } = event.value;
        this.emit("dataReceived", { payload, topic, reliable, from }, this.#remote.participants.get(from));
        break;
      }
      case "qualityChanged":
        for (const { participantId, quality } of event.value.qualities) {
          const participant = this.getParticipant(participantId) as (Participant & ParticipantState) | undefined;
          if (participant === undefined) continue;
          participant.connectionQuality = qualityFromWire(quality);
          this.emit("connectionQualityChanged", participant, participant.connectionQuality);
        }
        break;
      default:
        break;
    }
  }

  #onSessionState(name: string, state: ClientSessionState): void {
    if (state !== ClientSessionState.LOST) return;
    const session = [this.#publisher?.session, this.#subscriber?.session].find((one) => one?.name === name);
    // News of a session that we have replaced already needs nothing.
    if (session !== undefined && session.isOpen) session.rebuild();
  }

  #askSnapshot(): void {
    if (this.#snapshotAsked) return;
    this.#snapshotAsked = true;
    this.#ask({ case: "getSnapshot", value: {} })
      .then((response) => {
        if (response?.result.case === "snapshot") this.#carryOut(this.#roster.reset(response.result.value));
      })
      .catch(() => undefined)
      .finally(() => {
        this.#snapshotAsked = false;
      });
  }

  #carryOut(changes: readonly RosterChange[]): void {
    for (const change of changes) this.#carryOutOne(change);
    if (changes.length > 0) this.#demandsChanged();
  }

  #carryOutOne(change: RosterChange): void {
    switch (change.type) {
      case "joined":
      case "updated":
        if (change.participant.participantId === this.#participantId) {
          this.localParticipant.setWire(change.participant);
          if (change.type === "updated") this.emit("participantUpdated", this.localParticipant);
        } else this.#remote.putParticipant(change.participant);
        break;
      case "left":
        this.#remote.dropParticipant(change.participant.participantId, leaveReasonFromWire(change.reason));
        break;
      case "published":
      case "stream-updated":
        this.#remote.putStream(change.stream);
        break;
      case "unpublished":
        this.#remote.dropStream(change.stream);
        break;
      case "room":
        this.emit("roomUpdated", roomInfoFromWire(change.info));
        break;
      case "lobby":
        if (change.waiting.length === 0 && this.#toldLobby === 0) break;
        this.#toldLobby = change.waiting.length;
        this.emit("lobbyChanged", this.lobby);
        break;
    }
  }

  #demandsChanged(): void {
    this.#receiver?.update(this.#remote.publications(), (publication) =>
      this.#speakers.rankOf(this.#remote.ownerOf(publication)?.id ?? ""),
    );
  }

  // ---- states ----

  #setReconnecting(): void {
    if (this.#state !== "connected") return;
    this.#setState("reconnecting");
    this.emit("reconnecting");
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("connectionStateChanged", state);
  }

  #resetMedia(): void {
    this.#subscriber?.session.reset();
    this.#publisher?.session.reset();
    for (const track of this.#publisher?.tracks ?? []) track.streamId = 0;
  }

  #end(reason: DisconnectReason, error: ParleyError | undefined): void {
    if (this.#phase === "out" && this.#state === "disconnected") return;
    this.#endError = error;
    this.#turn += 1;
    this.#phase = "out";
    for (const stop of this.#stops.splice(0)) stop();
    this.#subscriber?.close();
    this.#publisher?.session.reset();
    this.localParticipant.close();
    this.#output.close();
    this.#remote.clear("left");
    this.#setState("disconnected");
    this.emit("disconnected", reason, error);
  }
}
