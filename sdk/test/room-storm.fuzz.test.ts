import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClientSessionState,
  ErrorSchema,
  errorTable,
  type ErrorName,
  type OpenSession,
  type RoomRequest,
  type UpdateSession,
} from "@parley/protocol";
import { create } from "@bufbuild/protobuf";
import { fuzzBudget, fuzzSeed, SeededRandom } from "@parley/testing";
import type { Room } from "../src/index.ts";
import { sourceToWire } from "../src/room/wire-values.ts";
import { FakePeerConnection } from "./fake-media.ts";
import { FakeWorld } from "./fake-world.ts";
import { joined, outcome, tellMoved, turns } from "./joined-room.ts";

/** Takes some ten seconds. */
const runs = 50;
const stepsPerRun = 25;

interface ServedRoom {
  readonly sessions: Set<string>;
  /** What is published, by mid. */
  readonly tracks: Map<string, { readonly source: number; muted: boolean }>;
}

/** Where the server has us, and what we publish there, by what it has answered. */
class ServedRooms {
  readonly rooms = new Map<string, ServedRoom>();
  #connection = 0;

  /** `connection`: which one asks. Another one is nobody yet. */
  refuses({ roomId, method }: RoomRequest, connection: number): ErrorName | undefined {
    if (connection !== this.#connection) this.rooms.clear();
    this.#connection = connection;
    const room = this.rooms.get(roomId);
    if (method.case === "join") return room === undefined ? undefined : "already-in-room";
    if (room === undefined) return "not-in-room";
    if (method.case === "updateSession" || method.case === "bindSlots") {
      return room.sessions.has(method.value.session) ? undefined : "session-not-found";
    }
    if (method.case === "setTrackMuted") return room.tracks.has(method.value.mid) ? undefined : "stream-not-found";
    return undefined;
  }

  done({ roomId, method }: RoomRequest): void {
    if (method.case === "join") {
      const fresh = { sessions: new Set<string>(), tracks: new Map() };
      this.rooms.set(roomId, fresh);
      for (const session of method.value.sessions) this.#take(fresh, session);
    }
    const room = this.rooms.get(roomId);
    if (room === undefined) return;
    if (method.case === "openSession" || method.case === "updateSession") this.#take(room, method.value);
    if (method.case === "closeSession") this.lose(room, method.value.session);
    if (method.case === "setTrackMuted") {
      const track = room.tracks.get(method.value.mid);
      if (track !== undefined) track.muted = method.value.muted;
    }
    if (method.case === "leave") this.rooms.delete(roomId);
  }

  lose(room: ServedRoom, session: string): void {
    room.sessions.delete(session);
    if (session === "pub") room.tracks.clear();
  }

  move(from: string, to: string): void {
    this.rooms.delete(from);
    this.rooms.set(to, { sessions: new Set(), tracks: new Map() });
  }

  #take(room: ServedRoom, { session, sections }: OpenSession | UpdateSession): void {
    room.sessions.add(session);
    if (session !== "pub") return;
    room.tracks.clear();
    for (const { mid, use } of sections) {
      if (use.case === "publish") room.tracks.set(mid, { source: use.value.source, muted: use.value.muted });
    }
  }
}

const passingErrors: readonly ErrorName[] = ["unavailable", "rate-limited", "no-media-node"];
const kinds = [
  "join",
  "openSession pub",
  "openSession sub",
  "updateSession",
  "bindSlots",
  "setTrackMuted",
  "closeSession",
];

class Storm {
  readonly #random: SeededRandom;
  readonly #world = new FakeWorld();
  readonly #served = new ServedRooms();
  readonly #calls: { readonly name: string; readonly outcome: ReturnType<typeof outcome> }[] = [];
  readonly #log: string[] = [];
  #moves = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    FakePeerConnection.connectsByItself = true;
    FakePeerConnection.answersRefused = 0;
  }

  get log(): string {
    return this.#log.join("\n");
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { server } = world;
    server.refuses = (request) => this.#served.refuses(request, server.connections);
    server.done = (request) => this.#served.done(request);
    const room = await joined(world);
    for (let step = 0; step < stepsPerRun; step += 1) {
      this.#blow(room);
      if (this.#random.chance(0.5)) await turns(this.#random.below(12));
      else await world.advance(this.#random.below(this.#random.chance(0.2) ? 3_000 : 160));
    }
    world.server.requestErrors.clear();
    FakePeerConnection.answersRefused = 0;
    world.server.isReachable = true;
    await world.advance(45_000);
    if (room.state === "disconnected") {
      assert.ok(world.peers.every(({ closed }) => closed));
      this.#connect(room);
      await world.advance(2_000);
    }
    this.#compare(room);
    const last = outcome(room.localParticipant.setMicrophoneEnabled(true));
    await world.advance(2_000);
    assert.equal(last.value(), "done");
    assert.equal(room.localParticipant.isMicrophoneEnabled, true);
    this.#compare(room);
    void room.disconnect();
    await world.advance(3_000);
    assert.ok(world.peers.every(({ closed }) => closed));
  }

  #blow(room: Room): void {
    const { server } = this.#world;
    const local = room.localParticipant;
    const on = this.#random.chance(0.5);
    const calls: (() => void)[] = [
      () => this.#call(`camera ${on}`, local.setCameraEnabled(on)),
      () => this.#call(`microphone ${on}`, local.setMicrophoneEnabled(on)),
      () => this.#call(`screen ${on}`, local.setScreenShareEnabled(on)),
      () => {
        const publication = this.#random.pick([local.getPublication("camera"), local.getPublication("microphone")]);
        if (publication !== undefined) this.#call(`unpublish ${publication.source}`, local.unpublishTrack(publication));
      },
      () => this.#call("hand", local.setHandRaised(on)),
      () => this.#move(),
      () => this.#move(),
      () => this.#lose(),
      () => this.#note("forgotten", () => this.#forget()),
      () => this.#note("cut", () => server.cut()),
      () => this.#call("disconnect", room.disconnect()),
      () => this.#connect(room),
      () => this.#connect(room),
      () => {
        this.#note("restart", () => {
          this.#served.rooms.clear();
          server.restart();
        });
      },
      () => this.#note(`reachable ${on}`, () => (server.isReachable = on)),
      () => this.#note("network", () => this.#world.networkChanged(true)),
      () => {
        const kind = this.#random.pick(kinds);
        const error = this.#random.pick(
          kind === "openSession pub" ? [...passingErrors, "permission-denied" as const] : passingErrors,
        );
        this.#note(`${kind}: ${error}`, () => server.requestErrors.set(kind, error));
      },
      () => this.#note("an answer refused", () => (FakePeerConnection.answersRefused += 1)),
      () => this.#note("failed", () => this.#random.pick(this.#world.peers).setState("failed")),
    ];
    this.#random.pick(calls)();
  }

  #note(what: string, action: () => unknown): void {
    this.#log.push(`${this.#world.clock.monoMs()} ${what}`);
    action();
  }

  #call(name: string, promise: Promise<unknown>): void {
    this.#log.push(`${this.#world.clock.monoMs()} ${name}`);
    this.#calls.push({ name, outcome: outcome(promise) });
  }

  #connect(room: Room): void {
    if (room.state === "disconnected") this.#call("connect", room.connect("ws://server", "token", { room: "r" }));
  }

  #move(): void {
    const [from] = this.#served.rooms.keys();
    if (from === undefined) return;
    this.#moves += 1;
    const to = this.#random.chance(0.3) && !this.#served.rooms.has("r") ? "r" : `room-${this.#moves}`;
    this.#note(`moved ${from} to ${to}`, () => {
      this.#served.move(from, to);
      tellMoved(this.#world, from, to);
    });
  }

  #lose(): void {
    const [entry] = this.#served.rooms;
    if (entry === undefined) return;
    const [roomId, served] = entry;
    const session = this.#random.pick(["pub", "sub"]);
    if (!served.sessions.has(session)) return;
    this.#note(`lost ${session}`, () => {
      this.#served.lose(served, session);
      const event = { case: "sessionState", value: { session, state: ClientSessionState.LOST } } as const;
      this.#world.server.keep({ case: "event", value: { roomId, event } });
    });
  }

  /** The room's owner knows nothing of us any more. */
  #forget(): void {
    const [roomId] = this.#served.rooms.keys();
    if (roomId === undefined) return;
    this.#served.rooms.delete(roomId);
    const error = create(ErrorSchema, { number: errorTable["not-in-room"].number });
    this.#world.server.keep({ case: "event", value: { roomId, event: { case: "removed", value: { error } } } });
  }

  #compare(room: Room): void {
    const pending = this.#calls.filter((call) => call.outcome.value() === "pending").map(({ name }) => name);
    assert.deepEqual(pending, [], "what was called has settled");
    assert.equal(room.state, "connected");
    assert.deepEqual([...this.#served.rooms.keys()], [room.id], "we are where the server has us, and nowhere else");
    const served = this.#served.rooms.get(room.id);
    const publications = [...room.localParticipant.publications.values()];
    assert.deepEqual(
      [...(served?.tracks.values() ?? [])].map(({ source, muted }) => `${source} ${muted}`).toSorted(),
      publications.map(({ source, muted }) => `${sourceToWire(source)} ${muted}`).toSorted(),
      "the server publishes what we do",
    );
    for (const source of ["camera", "microphone", "screen"] as const) {
      const publication = room.localParticipant.getPublication(source);
      assert.ok(publication === undefined || publications.includes(publication), `${source} has a place`);
    }
    const open = this.#world.peers.filter(({ closed }) => !closed);
    assert.deepEqual(
      open.map(({ connectionState }) => connectionState),
      publications.length === 0 ? ["connected"] : ["connected", "connected"],
    );
    assert.deepEqual([...(served?.sessions ?? [])].toSorted(), publications.length === 0 ? ["sub"] : ["pub", "sub"]);
  }
}

test("moves, breaks, losses and refusals at any moment of each other: in the calm all calls have settled, and the server has what we have", async () => {
  const goOn = fuzzBudget(runs);
  const firstSeed = fuzzSeed(1);
  for (let run = 0; goOn(run); run += 1) {
    const seed = (firstSeed + run) >>> 0;
    const storm = new Storm(seed);
    await storm.run().catch((error: unknown) => {
      throw new Error(`run with FUZZ_SEED=${seed}\n${storm.log}`, { cause: error });
    });
  }
});
