import { type DisconnectReason, type ParleyError, Room } from "@parley/sdk";
import type { TrackSource } from "@parley/sdk";
import { codeOf, describeDeviceFailure, describeFailure, type DeviceSource } from "../failures.ts";
import { qualities, type Settings } from "../settings.ts";
import { Breakouts } from "./breakouts.ts";
import { appendChat, chatTopic, type ChatMessage, readChat, tidyChat } from "./chat.ts";
import { Notices } from "./notices.ts";
import { type MeetingView, personView, tileKey, tilesOf } from "./view.ts";

export interface MeetingOptions {
  readonly url: string;
  readonly roomId: string;
  readonly name: string;
  readonly settings: Settings;
  readonly camera: boolean;
  readonly microphone: boolean;
  /** `hidden`: for a look into a breakout room. */
  readonly token: (options?: { readonly hidden: boolean }) => Promise<string>;
  /** Over for good. */
  readonly onEnded: (reason: DisconnectReason, error: ParleyError | undefined) => void;
}

type Listener = () => void;

/** A meeting for the screen: a room, the chat, the notices, as one view that changes. */
export class Meeting {
  readonly room: Room;
  readonly notices: Notices;
  readonly #options: MeetingOptions;
  readonly #listeners = new Set<Listener>();
  #chat: readonly ChatMessage[] = [];
  #chatKey = 1;
  #unread = 0;
  #isChatOpen = false;
  #media = { send: "none", receive: "none" };
  readonly #breakouts: Breakouts;
  #view: MeetingView;
  #isStale = false;
  #isOver = false;

  constructor(options: MeetingOptions) {
    const { settings } = options;
    const { width, height, frameRate, maxBitrateBps } = qualities[settings.quality];
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.#options = options;
    this.room = new Room({
      clientName: "parley-demo",
      videoCaptureDefaults: { width, height, frameRate },
      audioCaptureDefaults: settings.originalSound ? plain : {},
      publishDefaults: { videoMaxBitrateBps: maxBitrateBps },
    });
    this.notices = new Notices(() => this.#changed());
    this.#breakouts = new Breakouts({
      room: this.room,
      url: options.url,
      homeRoomId: options.roomId,
      token: () => options.token({ hidden: true }),
      onChange: () => this.#changed(),
    });
    this.#view = this.#makeView();
    this.#listen();
  }

  // ---- for React ----

  readonly subscribe = (listener: Listener): Listener => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): MeetingView => this.#view;

  // ---- in and out ----

  /** Opens the devices and connects. Rejects with the reason why not; devices that fail only raise a notice. */
  async connect(): Promise<void> {
    const { settings, camera, microphone, url, roomId, name, token } = this.#options;
    // Before the devices are opened: these are the ones to open.
    if (settings.camera !== "") await this.room.switchActiveDevice("videoinput", settings.camera);
    if (settings.microphone !== "") await this.room.switchActiveDevice("audioinput", settings.microphone);
    if (settings.speaker !== "") await this.room.switchActiveDevice("audiooutput", settings.speaker);
    // Not awaited: these promises wait for the server. What is open when the join goes out travels with it, the rest follows.
    if (camera) void this.setCamera(true);
    if (microphone) void this.setMicrophone(true);
    await this.room.connect(url, () => token(), { room: roomId, name });
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await this.room.disconnect();
  }

  // ---- our own media ----

  setMicrophone(enabled: boolean): Promise<void> {
    return this.#device("microphone", () => this.room.localParticipant.setMicrophoneEnabled(enabled));
  }

  setCamera(enabled: boolean): Promise<void> {
    return this.#device("camera", () => this.room.localParticipant.setCameraEnabled(enabled));
  }

  setSharing(enabled: boolean): Promise<void> {
    return this.#device("screen", () => this.room.localParticipant.setScreenShareEnabled(enabled, { audio: true }));
  }

  useDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    const source = kind === "videoinput" ? "camera" : "microphone";
    return this.#device(source, () => this.room.switchActiveDevice(kind, deviceId));
  }

  setHand(raised: boolean): Promise<void> {
    return this.attempt(this.room.localParticipant.setHandRaised(raised));
  }

  // ---- chat ----

  async say(text: string): Promise<void> {
    const tidy = tidyChat(text);
    if (tidy === "") return;
    let failed = false;
    try {
      await this.room.localParticipant.sendData(tidy, { topic: chatTopic });
    } catch (error) {
      failed = true;
      this.#tell(error);
    }
    this.#addChat({ from: this.#view.me.name, isOwn: true, text: tidy, failed });
  }

  setChatOpen(open: boolean): void {
    this.#isChatOpen = open;
    if (open) {
      this.#unread = 0;
      this.notices.dismissTopic("chat");
    }
    this.#changed();
  }

  // ---- host ----

  /** Runs a host's command; a refusal becomes a notice. */
  async attempt(command: Promise<unknown>, done?: string): Promise<void> {
    try {
      await command;
      if (done !== undefined) this.notices.add({ title: done });
    } catch (error) {
      this.#tell(error);
    }
  }

  mute(participantId: string): Promise<void> {
    const publication = this.room.remoteParticipants.get(participantId)?.getPublication("microphone");
    return publication === undefined ? Promise.resolve() : this.attempt(this.room.host.muteTrack(publication));
  }

  moveTo(participantId: string, group: string): Promise<void> {
    return this.attempt(this.#breakouts.moveTo(participantId, group), `Moved to ${group}`);
  }

  bringBack(roomId: string): Promise<void> {
    return this.attempt(this.#breakouts.bringBack(roomId), "Everybody is back");
  }

  // ---- events ----

  #listen(): void {
    const { room } = this;
    for (const name of [
      "connectionStateChanged",
      "roomUpdated",
      "participantUpdated",
      "activeSpeakersChanged",
      "connectionQualityChanged",
      "trackPublished",
      "trackUnpublished",
      "trackSubscribed",
      "trackSubscriptionFailed",
      "trackMuted",
      "trackUnmuted",
      "localTrackPublished",
      "localTrackUnpublished",
      "audioPlaybackStatusChanged",
      "waiting",
      "connected",
    ] as const) {
      room.on(name, () => this.#changed());
    }
    room.on("mediaStateChanged", (direction, state) => {
      this.#media = { ...this.#media, [direction]: state };
      this.#changed();
    });
    room.on("admitted", () => this.notices.add({ title: "You are in", text: "The host has let you in." }));
    room.on("reconnected", () => this.notices.add({ title: "You are back", topic: "connection" }));
    room.on("disconnected", (reason, error) => {
      if (!this.#isOver) this.#options.onEnded(reason, error);
      this.#isOver = true;
    });
    room.on("dataReceived", ({ payload, topic }, from) => {
      const text = topic === chatTopic ? readChat(payload) : undefined;
      if (text === undefined) return;
      const name = from === undefined ? "Server" : personView(from).name;
      this.#addChat({ from: name, isOwn: false, text, failed: false });
      if (this.#isChatOpen) return;
      this.#unread += 1;
      this.notices.add({ title: name, text: text.slice(0, 120), topic: "chat" });
    });
    this.#listenToPeople();
    this.#listenToHosts();
    this.#listenToDevices();
  }

  #listenToPeople(): void {
    const { room } = this;
    const hands = new Set<string>();
    room.on("participantConnected", (one) => {
      if (room.state === "connected") this.notices.add({ title: `${personView(one).name} joined`, topic: "people" });
      this.#changed();
    });
    room.on("participantDisconnected", (one, reason) => {
      hands.delete(one.id);
      const how = reason === "removed" ? "was removed" : reason === "moved" ? "moved to another room" : "left";
      if (room.state === "connected") this.notices.add({ title: `${personView(one).name} ${how}`, topic: "people" });
      this.#changed();
    });
    room.on("participantUpdated", (one) => {
      if (one.handRaised === hands.has(one.id)) return;
      if (!one.handRaised) hands.delete(one.id);
      else {
        hands.add(one.id);
        if (!one.isLocal) this.notices.add({ title: `${personView(one).name} raised a hand` });
      }
    });
  }

  #listenToHosts(): void {
    const { room } = this;
    room.on("lobbyChanged", (waiting) => {
      const last = waiting.at(-1);
      if (last === undefined) this.notices.dismissTopic("lobby");
      else if (waiting.length > this.#view.lobby.length) {
        this.notices.add({
          title: `${last.name === "" ? last.userId : last.name} wants to come in`,
          topic: "lobby",
          action: { label: "Let in", run: () => void this.attempt(room.host.admit([last.id])) },
        });
      }
      this.#changed();
    });
    room.on("moved", (to) => {
      const isHome = to === this.#options.roomId;
      // Everybody has changed at once; one sentence says it.
      this.notices.dismissTopic("people");
      if (!this.#breakouts.isFetching)
        this.notices.add({ title: isHome ? "You are back in the meeting" : `The host moved you to ${to}` });
      this.#changed();
    });
    room.on("mutedByHost", ({ source }) => {
      const what = source === "microphone" ? "microphone" : source === "camera" ? "camera" : "screen";
      this.notices.add({ title: `The host muted your ${what}`, tone: "warning" });
      this.#changed();
    });
    room.on("unmuteAsked", (source) => {
      const camera = source === "camera";
      this.notices.add({
        title: camera ? "The host asks you to show yourself" : "The host asks you to unmute",
        topic: `ask ${source}`,
        action: {
          label: camera ? "Start camera" : "Unmute",
          run: () => void (camera ? this.setCamera(true) : this.setMicrophone(true)),
        },
      });
    });
  }

  #listenToDevices(): void {
    const { room } = this;
    room.on("mediaDevicesError", (error, source) => {
      this.#tellDevice(error.code, source);
    });
    room.on("localTrackEnded", ({ source }) => {
      this.#changed();
      if (source === "screen" || source === "screen-audio") return;
      const name = source === "camera" ? "camera" : "microphone";
      this.notices.add({
        tone: "warning",
        title: `Your ${name} was disconnected`,
        text: "Plug it in again, or choose another one in the settings.",
        topic: `device ${source}`,
      });
    });
  }

  // ---- the rest ----

  async #device(source: DeviceSource, action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
      this.notices.dismissTopic(`device ${source}`);
    } catch (error) {
      const code = codeOf(error);
      // Told by `mediaDevicesError` already.
      if (!code.startsWith("device")) this.#tell(error);
    }
    this.#changed();
  }

  #tellDevice(code: string, source: TrackSource): void {
    const known = source === "camera" || source === "microphone" ? source : "screen";
    const { title, text } = describeDeviceFailure(code, known);
    const retry =
      known === "camera"
        ? () => void this.setCamera(true)
        : known === "microphone"
          ? () => void this.setMicrophone(true)
          : undefined;
    this.notices.add({
      tone: "error",
      title,
      text,
      topic: `device ${known}`,
      action: retry === undefined ? undefined : { label: "Try again", run: retry },
    });
  }

  #tell(error: unknown): void {
    const code = codeOf(error);
    if (code === "cancelled") return;
    const { title, text } = describeFailure(code);
    this.notices.add({ tone: "error", title, text });
  }

  #addChat(message: Omit<ChatMessage, "key" | "atUnixMs">): void {
    this.#chat = appendChat(this.#chat, { ...message, key: this.#chatKey++, atUnixMs: Date.now() });
    this.#changed();
  }

  /** Many events come at once; one view is made for all of them. */
  #changed(): void {
    if (this.#isStale) return;
    this.#isStale = true;
    queueMicrotask(() => {
      this.#isStale = false;
      this.#view = this.#makeView();
      for (const listener of this.#listeners) listener();
    });
  }

  #makeView(): MeetingView {
    const { room } = this;
    const { localParticipant: local } = room;
    const named = personView(local);
    const me = named.name === "" ? { ...named, name: this.#options.name } : named;
    const { permissions } = local;
    const isPublishing = local.publications.size > 0;
    return {
      connection: room.state,
      mediaLost: this.#media.receive === "lost" || (isPublishing && this.#media.send === "lost"),
      isWaiting: room.isWaiting,
      roomId: room.id,
      homeRoomId: this.#options.roomId,
      me,
      people: [me, ...[...room.remoteParticipants.values()].map(personView)],
      tiles: tilesOf(room),
      speaking: room.activeSpeakers.filter(({ isLocal }) => !isLocal).map(({ id }) => tileKey(id, "person")),
      canHost: permissions.moderate,
      canPublish: permissions.publish,
      canChat: permissions.publishData,
      lobby: room.lobby,
      lobbyEnabled: room.info?.lobbyEnabled ?? false,
      locked: room.info?.locked ?? false,
      needsClickForSound: !room.canPlaybackAudio,
      microphone: me.microphone,
      camera: me.camera,
      sharing: me.sharing,
      handRaised: me.handRaised,
      chat: this.#chat,
      unread: this.#unread,
      notices: this.notices?.shown ?? [],
      breakouts: this.#breakouts.rooms,
    };
  }
}
