import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { defaultRoomLimits, RoomHost, type RoomInput, type RoomLimits, type RoomOutput } from "../src/index.ts";
import {
  AudioLevelsSchema,
  errorName,
  GrantsSchema,
  MediaKind,
  RoomCommandSchema,
  SessionState,
  Source,
  SessionStatusSchema,
  type ErrorName,
  type GrantsSchema as Grants,
  type Joined,
  type RoomEvent,
  type RoomRequestSchema,
  type RoomResponse,
  type SessionGrant,
} from "@parley/protocol";
import { FakeNegotiator, fakeOffer } from "./fake-negotiator.ts";
import { SeededRandom } from "@parley/testing";

type Init<S> = Exclude<S, { $typeName: string }>;
export type Method = NonNullable<Init<MessageInitShape<typeof RoomRequestSchema>>["method"]>;
type GrantsInit = Init<MessageInitShape<typeof Grants>>;

/** A room host on a bench: commands in, and what comes out kept by connection and by session. */
export class RoomBench {
  readonly negotiator = new FakeNegotiator();
  readonly host: RoomHost;
  nowMs = 1_800_000_000_000;
  /** Events by connection. */
  readonly events = new Map<string, RoomEvent[]>();
  /** The newest grant of each session. */
  readonly grants = new Map<string, SessionGrant>();
  readonly outputs: RoomOutput[] = [];
  onOutput: (output: RoomOutput) => void = () => undefined;
  readonly #presence = new Set<string>();
  #requestId = 0;

  constructor(limits: Partial<RoomLimits> = {}, seed = 1) {
    const random = new SeededRandom(seed);
    this.host = new RoomHost({ negotiator: this.negotiator, random, limits: { ...defaultRoomLimits, ...limits } });
  }

  handle(input: RoomInput): RoomOutput[] {
    const outputs = this.host.handle(input, this.nowMs);
    for (const output of outputs) {
      this.outputs.push(output);
      this.onOutput(output);
      if (output.type === "grant") this.grants.set(output.grant.sessionId, output.grant);
      if (output.type !== "event") continue;
      for (const connectionId of output.connectionIds) this.eventsOf(connectionId).push(output.event);
    }
    return outputs;
  }

  /** Moves time on, with everybody's presence announced. */
  advance(durationMs: number, present = true): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
      this.nowMs += Math.min(100, durationMs - passedMs);
      if (present) this.announce();
      this.handle({ type: "tick" });
    }
  }

  announce(): void {
    const byConnection = new Map<string, string[]>();
    for (const key of this.#presence) {
      const [connectionId = "", roomId = ""] = key.split(" ");
      byConnection.set(connectionId, [...(byConnection.get(connectionId) ?? []), roomId]);
    }
    const connections = [...byConnection].map(([connectionId, roomIds]) => alive(connectionId, roomIds));
    this.handle({ type: "presence", connections });
  }

  /** A command's answer; throws when none came. */
  command(connectionId: string, method: Method, options: CommandOptions = {}): Answer {
    const reply = this.send(connectionId, method, options).find((output) => output.type === "reply");
    if (reply === undefined) throw new Error("no reply");
    const { result } = reply.reply;
    if (result.case === "error") return { ok: false, error: errorName(result.value.number) ?? "internal" };
    if (result.case !== "response") throw new Error("an empty reply");
    return { ok: true, response: result.value };
  }

  /** What a command brings about at once. */
  send(connectionId: string, method: Method, options: CommandOptions = {}): RoomOutput[] {
    const replyTo = options.requestId ?? ++this.#requestId;
    const { roomId = "room", userId = connectionId } = options;
    const command = create(RoomCommandSchema, {
      appId: options.appId ?? "app",
      roomId,
      connectionId,
      requestId: BigInt(replyTo),
      userId,
      grants: create(GrantsSchema, { ...everything, ...options.grants }),
      request: { roomId, method },
      localIp: "127.0.0.1",
    });
    return this.handle({ type: "command", command, replyTo });
  }

  /** Joins, and is announced as present from now on. */
  join(connectionId: string, options: CommandOptions & { readonly join?: JoinInit } = {}): Joined {
    const answer = this.command(connectionId, { case: "join", value: options.join ?? {} }, options);
    if (!answer.ok || answer.response.result.case !== "joined")
      throw new Error(`not joined: ${JSON.stringify(answer)}`);
    this.#presence.add(`${connectionId} ${options.roomId ?? "room"}`);
    return answer.response.result.value;
  }

  /** Is announced from now on. */
  present(connectionId: string, roomId = "room"): void {
    this.#presence.add(`${connectionId} ${roomId}`);
  }

  gone(connectionId: string, roomId = "room"): void {
    this.#presence.delete(`${connectionId} ${roomId}`);
  }

  /** Opens a session that publishes a stream with these sections; returns the stream's id. */
  publish(
    connectionId: string,
    stream = "camera",
    offer: Parameters<typeof fakeOffer>[0] = audioVideo,
    options: CommandOptions = {},
  ): number {
    const answer = this.command(connectionId, { case: "openSession", value: publishing(stream, offer) }, options);
    if (!answer.ok || answer.response.result.case !== "session")
      throw new Error(`not published: ${JSON.stringify(answer)}`);
    return answer.response.result.value.published[0]?.streamId ?? 0;
  }

  /** Opens a session with slots for these sections: pairs in their order. */
  receive(
    connectionId: string,
    offer: Parameters<typeof fakeOffer>[0] = audioVideo,
    session = "sub",
    options: CommandOptions = {},
  ): void {
    const answer = this.command(connectionId, { case: "openSession", value: receiving(offer, session) }, options);
    if (!answer.ok) throw new Error(`not opened: ${answer.error}`);
  }

  /** The living grant of a connection's session, by the client's name of it. */
  grantOf(predicate: (grant: SessionGrant) => boolean): SessionGrant {
    const grant = [...this.grants.values()].find((one) => !one.closed && predicate(one));
    if (grant === undefined) throw new Error("no such grant");
    return grant;
  }

  /** What a media node says of a session. */
  report(grant: SessionGrant, fields: Init<MessageInitShape<typeof SessionStatusSchema>> = {}): void {
    const { appId, roomId, sessionId, nodeBootId, revision } = grant;
    const status = create(SessionStatusSchema, {
      appId,
      roomId,
      sessionId,
      nodeId: "node",
      nodeBootId,
      acknowledgedRevision: revision,
      state: SessionState.CONNECTED,
      ...fields,
    });
    this.handle({ type: "session-status", status });
  }

  /** What a media node hears: levels by stream, of their first audio track. */
  levels(levels: Readonly<Record<number, number>>): void {
    const tracks = Object.entries(levels).map(([streamId]) => {
      const published = ({ receives }: SessionGrant) => receives.some((one) => one.streamId === Number(streamId));
      const grant = this.grantOf(published);
      const mid = grant.receives.find((one) => one.streamId === Number(streamId) && one.kind === MediaKind.AUDIO)?.mid;
      return { sessionId: grant.sessionId, mid: mid ?? "" };
    });
    const values = Object.values(levels);
    const message = create(AudioLevelsSchema, {
      nodeId: "node",
      nodeBootId: this.grantOf(() => true).nodeBootId,
      rooms: [
        {
          appId: "app",
          roomId: "room",
          tracks: tracks.map((track, index) => ({ ...track, level: values[index] ?? 0 })),
        },
      ],
    });
    this.handle({ type: "audio-levels", levels: message });
  }

  eventsOf(connectionId: string): RoomEvent[] {
    let events = this.events.get(connectionId);
    if (events === undefined) {
      events = [];
      this.events.set(connectionId, events);
    }
    return events;
  }

  /** The values of one kind of event that a connection got, oldest first. */
  valuesOf<C extends NonNullable<RoomEvent["event"]["case"]>>(connectionId: string, name: C): ValueOf<C>[] {
    const all = this.eventsOf(connectionId).filter(({ event }) => event.case === name);
    return all.map(({ event }) => event.value as ValueOf<C>);
  }
}

type ValueOf<C> = Extract<RoomEvent["event"], { case: C }>["value"];

export interface CommandOptions {
  readonly roomId?: string;
  readonly appId?: string;
  readonly userId?: string;
  readonly requestId?: number;
  readonly grants?: GrantsInit;
}

export type Answer =
  | { readonly ok: true; readonly response: RoomResponse }
  | { readonly ok: false; readonly error: ErrorName };

type JoinInit = Extract<Method, { case: "join" }>["value"];

/** What a token of a host allows. */
export const everything: GrantsInit = {
  create: true,
  permissions: { publish: true, subscribe: true, publishData: true, moderate: true },
};

/** What a token of an ordinary participant allows. */
export const ordinary: GrantsInit = {
  create: true,
  permissions: { publish: true, subscribe: true, publishData: true },
};

export const audioVideo = {
  sections: [
    { mid: "0", kind: "audio" },
    { mid: "1", kind: "video" },
  ],
} as const;

export function publishing(stream: string, offer: Parameters<typeof fakeOffer>[0], session = "pub") {
  return {
    session,
    offerSdp: fakeOffer(offer),
    sections: offer.sections.map(({ mid, kind }) => ({
      mid,
      use: {
        case: "publish" as const,
        value: { stream, source: kind === "audio" ? Source.MICROPHONE : Source.CAMERA },
      },
    })),
  };
}

export function receiving(offer: Parameters<typeof fakeOffer>[0], session = "sub") {
  const seen = { audio: 0, video: 0 };
  return {
    session,
    offerSdp: fakeOffer(offer),
    sections: offer.sections.map(({ mid, kind }) => ({
      mid,
      use: { case: "receive" as const, value: { pair: seen[kind]++ } },
    })),
  };
}

function alive(connectionId: string, roomIds: string[]) {
  return {
    $typeName: "parley.bus.v1.ConnectionAlive" as const,
    appId: "app",
    connectionId,
    roomIds,
    tokenExpiresAtUnixMs: 0n,
    tokenRoomId: "",
  };
}
