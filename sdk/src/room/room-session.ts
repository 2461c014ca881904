import type { Joined, RoomEvent } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError, sdkError, wireError } from "../api/error.ts";
import type { JoinOptions, MediaOptions } from "../api/options.ts";
import type { HostTools, Participant } from "../api/participant.ts";
import type { JoinedRoom } from "../api/room.ts";
import type { RoomEvents } from "../api/room-events.ts";
import type { RoomStats } from "../api/stats.ts";
import type { ConnectionState, DisconnectReason, LobbyGuest, RoomInfo } from "../api/values.ts";
import { onDevicesChanged } from "../devices.ts";
import type { Platform } from "../platform/platform.ts";
import type { LinkEvents, SignalLink } from "../signal/link.ts";
import { hostTools } from "./host-tools.ts";
import { LocalParticipantState } from "./local-participant.ts";
import { Membership } from "./membership.ts";
import type { RemoteRoster } from "./remote-roster.ts";
import { RoomMedia } from "./room-media.ts";
import { RoomView } from "./room-view.ts";
import { roomInfoFromWire, tableError } from "./wire-values.ts";

export interface RoomSessionDeps {
  readonly platform: Platform;
  readonly link: SignalLink;
  readonly options: MediaOptions;
  /** The room has another name now, or is over. */
  onMoved?(from: string, to: string): void;
}

/** Reasons of a removal that nobody wanted: the room's owner has lost us, and we come back. */
const forgotten: ReadonlySet<string> = new Set(["not-in-room", "session-lost", "session-not-found", "token-expired"]);
/** Of events that come before the answer to the join; more means that something is wrong, and a snapshot helps. */
const maxEarlyEvents = 1_000;
/** Who leaves waits for the server's word so long. */
const leaveDeadlineMs = 2_000;
/** Longer than a server waits for who was connected; after that it has forgotten us. */
const lateLeaveMs = 60_000;

/** One room over a link, as the app sees it: its state and its events, put together from the parts that know. */
export class RoomSession extends TypedEmitter<RoomEvents> implements JoinedRoom {
  readonly localParticipant: LocalParticipantState;
  readonly host: HostTools;
  readonly #deps: RoomSessionDeps;
  readonly #link: SignalLink;
  readonly #membership: Membership;
  readonly #media: RoomMedia;
  readonly #view: RoomView;
  readonly #stops: (() => void)[] = [];
  #state: ConnectionState = "disconnected";
  #early: RoomEvent[] = [];
  /** Grows with every join and every end. */
  #turn = 0;
  /** The last end, and why. */
  #ended: { readonly turn: number; readonly error: ParleyError | undefined } | undefined;

  constructor(deps: RoomSessionDeps) {
    super();
    this.#deps = deps;
    this.#link = deps.link;
    const { platform, options, link } = deps;
    this.#membership = new Membership({
      link,
      platform,
      prepareMedia: () => this.#media.prepare(),
      resetMedia: () => this.#media.reset(),
      onJoined: (joined) => this.#onJoined(joined),
      onReconnecting: () => {
        this.#early = [];
        this.#setReconnecting();
      },
      onFailed: (error) => this.#end("failed", error),
    });
    this.#media = new RoomMedia(platform, options, this.#membership.sessionRequests());
    this.localParticipant = this.#makeLocal();
    this.#view = new RoomView({
      platform,
      adaptiveStream: options.adaptiveStream ?? true,
      membership: this.#membership,
      media: this.#media,
      localParticipant: this.localParticipant,
      emit: (name, ...args) => this.emit(name, ...args),
    });
    this.host = hostTools(
      (method) => this.#membership.moderate(method),
      (id) => this.getParticipant(id)?.permissions,
    );
    this.#wireMedia();
  }

  // ---- what the app sees ----

  get state(): ConnectionState {
    return this.#state;
  }
  get isWaiting(): boolean {
    return this.#membership.phase === "waiting";
  }
  get info(): RoomInfo | undefined {
    const { info } = this.#view.roster;
    return info === undefined ? undefined : roomInfoFromWire(info);
  }
  get id(): string {
    return this.#membership.roomId;
  }
  get remoteParticipants(): RemoteRoster["participants"] {
    return this.#view.remote.participants;
  }
  get activeSpeakers(): readonly Participant[] {
    return this.#view.activeSpeakers;
  }
  get lobby(): readonly LobbyGuest[] {
    return this.#view.lobby;
  }
  get canPlaybackAudio(): boolean {
    return this.#media.output.canPlay;
  }

  getParticipant(id: string): Participant | undefined {
    return this.#view.getParticipant(id);
  }

  startAudio(): Promise<void> {
    return this.#media.output.start();
  }

  async switchActiveDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    if (kind === "audiooutput") await this.#media.output.setDevice(deviceId);
    else await this.localParticipant.useDevice(kind === "videoinput" ? "camera" : "microphone", deviceId);
  }

  getActiveDevice(kind: MediaDeviceKind): string | undefined {
    if (kind === "audiooutput") return this.#media.output.deviceId;
    return this.localParticipant.deviceOf(kind === "videoinput" ? "camera" : "microphone");
  }

  getStats(): Promise<RoomStats> {
    return this.#media.getStats(this.#view.remote, this.#membership.participantId, this.#link.rttMs);
  }

  /** Joins a room; the link may still be connecting. Resolves when in, or in the lobby. */
  async join(roomId: string, options: JoinOptions): Promise<void> {
    if (this.#membership.phase !== "out") throw sdkError("bad-argument", "The room is joined already.");
    this.#listen();
    this.#turn += 1;
    const turn = this.#turn;
    this.#early = [];
    for (const { track, options: publish } of options.tracks ?? []) this.localParticipant.prepublish(track, publish);
    this.#setState("connecting");
    try {
      await this.#membership.join(roomId, options);
    } catch (error) {
      const failure = error instanceof ParleyError ? error : sdkError("connect-failed", String(error), error);
      // Left meanwhile: what has been joined since is none of this one's business.
      if (turn === this.#turn) this.#end("failed", failure);
      // The connection may have ended while the offers were made: its reason is the one that counts.
      throw (this.#ended?.turn === turn + 1 ? this.#ended.error : undefined) ?? failure;
    }
  }

  /** Leaves; resolves when the server knows, or cannot be told. */
  async disconnect(): Promise<void> {
    if (this.#membership.phase === "out" && this.#state === "disconnected") {
      // Devices that were opened for a join that never came.
      this.localParticipant.close();
      return;
    }
    const { roomId } = this.#membership;
    // Moved while we leave: that is to be left, too.
    const onEvent = ({ roomId: from, event }: RoomEvent): void => {
      if (from === roomId && event.case === "moved") this.#membership.leaveRoom(event.value.toRoomId);
    };
    this.#link.on("event", onEvent);
    const isConnected = this.#link.state === "connected";
    // A link that is broken, and goes on without us, tells it when it is back.
    const told = this.#membership.request({ case: "leave", value: {} }, isConnected ? leaveDeadlineMs : lateLeaveMs);
    const done = told
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#link.off("event", onEvent));
    this.#end("left", undefined);
    if (isConnected) await done;
  }

  #onJoined(joined: Joined): void {
    if (joined.waiting) {
      this.#media.reset();
      this.#setState("connected");
      this.emit("waiting");
      this.#flushEarly();
      return;
    }
    this.#media.accept(joined.sessions);
    if (joined.snapshot !== undefined) this.#view.reset(joined.snapshot);
    const before = this.#state;
    this.#setState("connected");
    this.emit(before === "reconnecting" ? "reconnected" : "connected");
    this.#flushEarly();
    this.#view.demandsChanged();
  }

  // ---- the link ----

  /** Listens while in a room. */
  #listen(): void {
    const on = <Name extends keyof LinkEvents>(name: Name, listener: (...args: LinkEvents[Name]) => void): void => {
      this.#link.on(name, listener);
      this.#stops.push(() => this.#link.off(name, listener));
    };
    on("state", (state) => {
      if (state === "reconnecting" && ["in", "waiting"].includes(this.#membership.phase)) this.#setReconnecting();
    });
    on("established", ({ resumed, first }) => {
      const { phase } = this.#membership;
      if (first || phase === "out") return;
      if (!resumed) this.#membership.rejoin();
      else if (phase !== "joining" && this.#state === "reconnecting") {
        this.#setState("connected");
        this.emit("reconnected");
      }
    });
    on("event", (event) => {
      if (event.roomId === this.#membership.roomId && this.#membership.phase !== "out") this.#onEvent(event);
    });
    on("closed", (error) => {
      if (this.#membership.phase !== "out") this.#end(error === undefined ? "left" : "failed", error);
    });
    this.#stops.push(
      this.#deps.platform.onNetworkChange((online) => {
        if (online) this.#media.restartIce();
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
    const media = this.#media;
    media.output.on("status", (canPlay) => this.emit("audioPlaybackStatusChanged", canPlay));
    media.on("state", (direction, state) => this.emit("mediaStateChanged", direction, state));
    media.on("doubt", () => this.#link.probe());
    media.on("subscribed", (publication, track) => {
      const participant = this.#view.remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackSubscribed", track, publication, participant);
    });
    media.on("unsubscribed", (publication) => {
      const participant = this.#view.remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackUnsubscribed", publication, participant);
    });
    media.on("failed", (publication, error) => {
      const participant = this.#view.remote.ownerOf(publication);
      if (participant !== undefined) this.emit("trackSubscriptionFailed", publication, participant, error);
    });
  }

  #makeLocal(): LocalParticipantState {
    return new LocalParticipantState({
      clock: this.#deps.platform.clock,
      options: this.#deps.options,
      mediaDevices: this.#deps.platform.mediaDevices,
      publisher: this.#media.publisher,
      request: (method) => this.#membership.ask(method).then(() => undefined),
      phase: () => this.#membership.phase,
      onPublished: (publication) => this.emit("localTrackPublished", publication),
      onUnpublished: (publication) => this.emit("localTrackUnpublished", publication),
      onPublishFailed: (publication, error) => this.emit("localTrackPublishFailed", publication, error),
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

  // ---- events ----

  #onEvent(event: RoomEvent): void {
    if (this.#membership.phase === "joining") {
      this.#onEarlyEvent(event);
      return;
    }
    if (this.#onMembership(event)) return;
    this.#view.apply(event);
  }

  /** Most of what comes before the answer to a join is about what the join will bring. */
  #onEarlyEvent(event: RoomEvent): void {
    const wasHere = this.#membership.participantId !== "";
    // That is where we are: the room was asked for something it no longer had to do with us, which is why we join again.
    if (wasHere && event.event.case === "moved") this.#onMembership(event);
    // We know: the same.
    else if (wasHere && isForgotten(event)) return;
    else if (this.#early.length < maxEarlyEvents) this.#early.push(event);
  }

  #flushEarly(): void {
    for (const event of this.#early.splice(0)) {
      // One of them may have moved us, or ended it all.
      if (event.roomId === this.#membership.roomId && this.#membership.phase !== "out") this.#onEvent(event);
    }
  }

  /** What ends or changes our being here. */
  #onMembership({ event }: RoomEvent): boolean {
    switch (event.case) {
      case "roomClosed":
        this.#end("room-closed", undefined);
        return true;
      case "removed": {
        if (isForgotten({ event })) {
          this.#membership.rejoin();
          return true;
        }
        const error = event.value.error === undefined ? undefined : wireError(event.value.error);
        this.#end(reasonOfRemoval(error), error);
        return true;
      }
      case "admitted":
        if (this.#membership.phase !== "waiting") return true;
        if (!event.value.admitted || event.value.joined === undefined) {
          this.#end("removed", tableError("not-admitted"));
          return true;
        }
        this.#membership.take(event.value.joined);
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
    const from = this.#membership.roomId;
    this.#media.reset();
    this.#view.remote.clear("moved");
    this.#deps.onMoved?.(from, toRoomId);
    this.#membership.move(toRoomId, joined);
    this.emit("moved", toRoomId);
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

  #end(reason: DisconnectReason, error: ParleyError | undefined): void {
    if (this.#membership.phase === "out" && this.#state === "disconnected") return;
    this.#turn += 1;
    this.#ended = { turn: this.#turn, error };
    this.#membership.leave();
    for (const stop of this.#stops.splice(0)) stop();
    this.#media.close();
    this.localParticipant.close();
    this.#view.remote.clear("left");
    this.#setState("disconnected");
    this.emit("disconnected", reason, error);
  }
}

function reasonOfRemoval(error: ParleyError | undefined): DisconnectReason {
  if (error?.code === "already-there") return "moved";
  return error?.code === "replaced" ? "replaced" : "removed";
}

function isForgotten({ event }: Pick<RoomEvent, "event">): boolean {
  return (
    event.case === "removed" && event.value.error !== undefined && forgotten.has(wireError(event.value.error).code)
  );
}
