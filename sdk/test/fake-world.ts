import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  type ErrorSchema,
  errorTable,
  ParticipantSchema,
  ServerFrameSchema,
  type SessionAnswerSchema,
  type SlotResultSchema,
  type Snapshot,
  type SnapshotSchema,
  StreamSchema,
  TrackKind,
  type BindSlots,
  type ClientFrame,
  type ErrorName,
  type OpenSession,
  type Participant,
  type RoomEventSchema,
  type RoomRequest,
  type RoomResponseSchema,
  type Source,
  type Stream,
  type UpdateSession,
} from "@parley/protocol";
import { SeededRandom, VirtualClock } from "@parley/testing";
import type { Platform } from "../src/platform/platform.ts";
import type { SocketHandlers } from "../src/signal/socket.ts";
import { FakeDevices, FakePeerConnection } from "./fake-media.ts";

type RoomResponseInit = MessageInitShape<typeof RoomResponseSchema>;
type ServerFrameInit = NonNullable<MessageInitShape<typeof ServerFrameSchema>["frame"]>;

interface OpenedSocket {
  readonly handlers: SocketHandlers;
  readonly frames: ClientFrame[];
  isOpen: boolean;
  /** Its connect frame has been answered: until then nothing else is sent. */
  isAttached: boolean;
}

/** Lets everything that was promised happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

/** A client's world on a virtual clock: a server in memory, sockets that break when told, PeerConnections without media. */
export class FakeWorld {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(1);
  readonly devices = new FakeDevices();
  readonly peers: FakePeerConnection[] = [];
  readonly server = new FakeServer(this);
  readonly platform: Platform;
  readonly #networkListeners = new Set<(online: boolean) => void>();

  constructor() {
    this.platform = {
      clock: this.clock,
      random: this.random,
      openSocket: (_url, _protocol, handlers) => this.server.accept(handlers),
      createPeerConnection: () => {
        const peer = new FakePeerConnection();
        this.peers.push(peer);
        return peer as unknown as RTCPeerConnection;
      },
      mediaDevices: this.devices as unknown as MediaDevices,
      document: undefined,
      onPageGone: () => () => undefined,
      onNetworkChange: (listener) => {
        this.#networkListeners.add(listener);
        return () => this.#networkListeners.delete(listener);
      },
      description: { browser: "test", os: "test" },
    };
  }

  networkChanged(online: boolean): void {
    for (const listener of this.#networkListeners) listener(online);
  }

  /** Where a track comes out, for messages. */
  trackName(track: MediaStreamTrack): string {
    for (const [index, { transceivers }] of this.peers.entries()) {
      const found = transceivers.find(({ receiver }) => receiver.track.asTrack() === track);
      if (found !== undefined) return `peer ${index} mid ${found.mid}`;
    }
    return "none of ours";
  }

  /** Moves time in small steps, so that promises keep up with timers. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.clock.monoMs() + durationMs;
    await settle();
    while (this.clock.monoMs() < endMs) {
      this.clock.advanceTo(Math.min(endMs, this.clock.monoMs() + 20));
      await settle();
    }
  }
}

/** A server with one room whose state the test sets. */
export class FakeServer {
  readonly #world: FakeWorld;
  readonly sockets: OpenedSocket[] = [];
  readonly requests: RoomRequest[] = [];
  participants: Participant[] = [];
  streams: Stream[] = [];
  revision = 10n;
  /** What else is in its snapshots. */
  extras: Exclude<MessageInitShape<typeof SnapshotSchema>, Snapshot> = {};
  isReachable = true;
  /** False: forgets connections, as a server that was started again. */
  remembers = true;
  /** Who joins waits. */
  lobby = false;
  /** Answers requests by themselves. */
  answers = true;
  heartbeatIntervalMs = 15_000;
  tokenExpiresAtUnixMs = 0;
  /** Refuses the next connects with this. */
  refusal: ErrorName | undefined;
  /** Why a request is refused, by a test that keeps the state of rooms itself. */
  refuses: (request: RoomRequest) => ErrorName | undefined = () => undefined;
  /** A request has been carried out. */
  done: (request: RoomRequest) => void = () => undefined;
  /** What becomes of slots that are bound while the session is open. */
  bindError: ErrorName | undefined;
  /** Errors for the next requests of a kind ("join"), or of a kind for a session ("openSession pub"). */
  readonly requestErrors = new Map<string, ErrorName>();
  readonly tokens: string[] = [];
  /** What the slots of "sub" were last asked to carry. */
  readonly bindings = new Map<string, number>();
  joins = 0;
  connections = 0;
  #seq = 0;
  #kept: { seq: number; frame: ServerFrameInit }[] = [];
  #highestRequest = 0;
  readonly #streamIds = new Map<string, number>();
  #nextStreamId = 5_000;

  constructor(world: FakeWorld) {
    this.#world = world;
  }

  get socket(): OpenedSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket");
    return socket;
  }

  accept(handlers: SocketHandlers): { send(data: Uint8Array | string): void; close(): void } {
    const socket: OpenedSocket = { handlers, frames: [], isOpen: false, isAttached: false };
    this.sockets.push(socket);
    this.#world.clock.after(50, () => {
      if (!this.isReachable) handlers.closed(1006);
      else {
        socket.isOpen = true;
        handlers.open();
      }
    });
    return {
      send: (data) => {
        if (!socket.isOpen || typeof data === "string") return;
        const frame = fromBinary(ClientFrameSchema, data);
        socket.frames.push(frame);
        // The way there and back.
        if (this.isReachable) this.#world.clock.after(50, () => this.#onFrame(socket, frame));
      },
      close: () => {
        socket.isOpen = false;
      },
    };
  }

  /** The socket breaks; the client learns of it at once (`silently`: only by itself). */
  cut(silently = false): void {
    const { socket } = this;
    socket.isOpen = false;
    if (!silently) socket.handlers.closed(1006);
  }

  /** Streams that are published from now on are others. */
  forgetStreams(): void {
    this.#streamIds.clear();
  }

  /** As after kill -9 and a start. */
  restart(): void {
    this.remembers = false;
    this.cut();
  }

  event(event: MessageInitShape<typeof RoomEventSchema>["event"], changesState = true): void {
    if (changesState) this.revision += 1n;
    this.keep({
      case: "event",
      value: { roomId: "r", revision: changesState ? this.revision : 0n, ...(event && { event }) },
    });
  }

  keep(frame: ServerFrameInit): void {
    this.#seq += 1;
    this.#kept.push({ seq: this.#seq, frame });
    if (this.socket.isAttached) this.#deliver(this.socket, this.#seq, frame);
  }

  /** A host lets the one who waits in, or not. */
  admit(admitted: boolean): void {
    const participantId = `me-${this.joins}`;
    const joined = { participantId, snapshot: this.snapshot() };
    const value = admitted ? { admitted, joined } : { admitted };
    this.event({ case: "admitted", value }, false);
  }

  disconnect(name: ErrorName, reconnect: boolean, retryAfterMs = 0): void {
    const error = wireErrorOf(name);
    this.#deliver(this.socket, 0, { case: "disconnect", value: { error, reconnect, retryAfterMs } });
  }

  // ---- state ----

  addParticipant(id: string): Participant {
    const participant = create(ParticipantSchema, { participantId: id, userId: `user-${id}`, name: id });
    this.participants.push(participant);
    return participant;
  }

  addStream(
    id: number,
    participantId: string,
    tracks: readonly { mid: string; kind: "audio" | "video"; source: Source }[],
  ): Stream {
    const stream = create(StreamSchema, {
      streamId: id,
      participantId,
      name: "camera",
      tracks: tracks.map(({ mid, kind, source }) => ({
        mid,
        kind: kind === "audio" ? TrackKind.AUDIO : TrackKind.VIDEO,
        source,
        live: true,
      })),
    });
    this.streams.push(stream);
    return stream;
  }

  snapshot(): MessageInitShape<typeof SnapshotSchema> {
    return {
      room: { roomId: "r", participantCount: this.participants.length },
      revision: this.revision,
      participants: this.participants,
      streams: this.streams,
      ...this.extras,
    };
  }

  // ---- frames ----

  #deliver(socket: OpenedSocket, seq: number, frame: ServerFrameInit): void {
    if (!socket.isOpen) return;
    const message = create(ServerFrameSchema, { seq: BigInt(seq), frame });
    socket.handlers.message(toBinary(ServerFrameSchema, message));
  }

  #onFrame(socket: OpenedSocket, { frame, ack }: ClientFrame): void {
    if (!socket.isOpen) return;
    if (ack !== 0n) this.#kept = this.#kept.filter(({ seq }) => seq > Number(ack));
    if (frame.case === "connect") this.#onConnect(socket, frame.value.token, frame.value.resume?.lastSeq);
    else if (frame.case === "ping")
      this.#deliver(socket, 0, { case: "pong", value: { sentAtMs: frame.value.sentAtMs } });
    else if (frame.case === "refreshToken") {
      this.tokens.push(frame.value.token);
      this.tokenExpiresAtUnixMs += 100_000;
      const value = { tokenExpiresAtUnixMs: BigInt(this.tokenExpiresAtUnixMs) };
      this.#deliver(socket, 0, { case: "tokenRefreshed", value });
    } else if (frame.case === "request") {
      const { id, method } = frame.value;
      if (Number(id) <= this.#highestRequest) return;
      this.#highestRequest = Number(id);
      if (method.case === "room") this.#onRequest(id, method.value);
    }
  }

  #onConnect(socket: OpenedSocket, token: string, lastSeq: bigint | undefined): void {
    this.tokens.push(token);
    if (this.refusal !== undefined) {
      const error = wireErrorOf(this.refusal);
      this.refusal = undefined;
      this.#deliver(socket, 0, { case: "disconnect", value: { error, reconnect: false } });
      return;
    }
    const resumed = lastSeq !== undefined && this.remembers;
    if (!resumed) {
      this.connections += 1;
      this.#seq = 0;
      this.#kept = [];
      this.#highestRequest = 0;
      this.bindings.clear();
    }
    this.remembers = true;
    socket.isAttached = true;
    this.#deliver(socket, 0, {
      case: "connected",
      value: {
        connectionId: `c${this.connections}`,
        resumed,
        resumeToken: `resume-${this.connections}`,
        heartbeatIntervalMs: this.heartbeatIntervalMs,
        userId: "ann",
        serverTimeUnixMs: BigInt(this.#world.clock.unixMs()),
        tokenExpiresAtUnixMs: BigInt(this.tokenExpiresAtUnixMs),
      },
    });
    if (resumed) for (const { seq, frame } of this.#kept) if (seq > Number(lastSeq)) this.#deliver(socket, seq, frame);
  }

  #onRequest(requestId: bigint, request: RoomRequest): void {
    this.requests.push(request);
    if (!this.answers) return;
    const kind = request.method.case ?? "";
    const { value } = request.method;
    const named = value !== undefined && "session" in value ? `${kind} ${value.session}` : kind;
    const key = this.requestErrors.has(named) ? named : kind;
    const failure = this.requestErrors.get(key) ?? this.refuses(request);
    if (failure !== undefined) {
      this.requestErrors.delete(key);
      this.keep({ case: "response", value: { requestId, result: { case: "error", value: wireErrorOf(failure) } } });
      return;
    }
    this.done(request);
    this.keep({ case: "response", value: { requestId, result: { case: "room", value: this.#answer(request) } } });
  }

  #answer({ method }: RoomRequest): RoomResponseInit {
    switch (method.case) {
      case "join": {
        this.joins += 1;
        const participantId = `me-${this.joins}`;
        const me = create(ParticipantSchema, { participantId, userId: "ann", name: method.value.name });
        this.participants = this.participants.filter((one) => !one.participantId.startsWith("me-"));
        this.participants.push(me);
        if (this.lobby) return { result: { case: "joined", value: { participantId, waiting: true } } };
        const sessions = method.value.sessions.map((session) => this.#session(session));
        return { result: { case: "joined", value: { participantId, snapshot: this.snapshot(), sessions } } };
      }
      case "openSession":
      case "updateSession":
        return { result: { case: "session", value: this.#session(method.value) } };
      case "bindSlots":
        this.#bind(method.value.bindings);
        return { result: { case: "slots", value: { slots: this.#slotErrors(method.value.bindings) } } };
      case "getSnapshot":
        return { result: { case: "snapshot", value: this.snapshot() } };
      default:
        return { result: { case: "done", value: {} } };
    }
  }

  #session({ session, sections, ...more }: OpenSession | UpdateSession): MessageInitShape<typeof SessionAnswerSchema> {
    const names = sections.flatMap(({ use }) => (use.case === "publish" ? [use.value.stream] : []));
    const published = [...new Set(names)].map((name) => {
      let streamId = this.#streamIds.get(name);
      if (streamId === undefined) this.#streamIds.set(name, (streamId = this.#nextStreamId++));
      return { name, streamId };
    });
    if ("bindings" in more) this.#bind(more.bindings);
    return { session, answerSdp: "answer", published };
  }

  #slotErrors(bindings: BindSlots["bindings"]): MessageInitShape<typeof SlotResultSchema>[] {
    if (this.bindError === undefined) return [];
    const error = wireErrorOf(this.bindError);
    return bindings.map(({ mid, streamId }) => ({ mid, streamId, error }));
  }

  #bind(bindings: BindSlots["bindings"]): void {
    for (const { mid, streamId } of bindings) this.bindings.set(mid, streamId);
  }
}

function wireErrorOf(name: ErrorName): MessageInitShape<typeof ErrorSchema> {
  const { number, retry, text } = errorTable[name];
  return { number, name, message: text, retryable: retry === "later" || retry === "changed" };
}
