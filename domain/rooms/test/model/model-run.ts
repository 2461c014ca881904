import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  errorName,
  GrantsSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  SessionGrantSchema,
  type Participant,
  type RoomCommand,
  type RoomCommandReply,
  type Snapshot,
  type Stream,
} from "@parley/protocol";
import { SeededRandom } from "@parley/testing";
import { defaultRoomLimits, RoomHost, type RoomOutput } from "../../src/index.ts";
import { FakeNegotiator } from "../fake-negotiator.ts";
import type { Method } from "../room-bench.ts";
import { LossyNetwork, type LossyOptions } from "./lossy-network.ts";
import { ModelClient } from "./model-client.ts";
import { grantBytes, ModelNode } from "./model-node.ts";
import { RoomModel } from "./room-model.ts";

/** A request is a question on the bus: everything can happen to it, and to its answer. */
const requests: LossyOptions = { lost: 0.1, repeated: 0.1, late: 0.1, ordered: false };
/** Events and answers to one connection keep their order. */
const events: LossyOptions = { lost: 0.05, repeated: 0, late: 0.1, ordered: true };
const grants: LossyOptions = { lost: 0.15, repeated: 0.1, late: 0.2, ordered: false };
const presence: LossyOptions = { lost: 0.1, repeated: 0, late: 0.1, ordered: true };

const durationMs = 12_000;
const tickMs = 100;
const repeatMs = 400;
const attempts = 6;

interface Asked {
  readonly client: ModelClient;
  readonly connectionId: string;
  readonly method: Method;
  readonly bytes: Uint8Array;
  readonly requestId: bigint;
  left: number;
  sentAtMs: number;
}

/** One seeded run: a storm, then calm, then everybody is compared. */
export class ModelRun {
  readonly #random: SeededRandom;
  readonly #network: LossyNetwork;
  readonly #node = new ModelNode();
  readonly #model = new RoomModel();
  readonly #negotiator = new FakeNegotiator();
  #host: RoomHost;
  readonly #clients = Array.from({ length: 8 }, (_, index) => new ModelClient(index));
  readonly #asked = new Map<ModelClient, Asked>();
  readonly #executed = new Set<string>();
  readonly #replies = new Map<number, Asked>();
  #nextRequestId = 1n;
  #nextReplyTo = 1;
  /** The comparison is done: late requests are nobody's business any more. */
  #over = false;
  readonly #counts = { executed: 0, refused: 0, repeated: 0, gaps: 0, bound: 0, rebuilt: 0 };

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#network = new LossyNetwork(this.#random);
    this.#host = this.#newHost();
  }

  run() {
    const network = this.#network;
    const endMs = network.nowMs + durationMs;
    const rebootAtMs = this.#random.chance(0.3) ? network.nowMs + this.#random.below(durationMs) : Infinity;
    let rebooted = false;
    for (let step = 0; network.nowMs < endMs; step += 1) {
      network.runUntil(network.nowMs + tickMs);
      this.#step(step, true);
      if (!rebooted && network.nowMs >= rebootAtMs) {
        rebooted = true;
        this.#rebootNode();
      }
    }
    network.calm = true;
    // Long enough for everything late to arrive, for grants to be repeated, for the vanished to be noticed.
    for (let step = 0; step < 160; step += 1) {
      network.runUntil(network.nowMs + tickMs);
      this.#step(step, false);
    }
    // What the last step sent.
    network.runUntil(network.nowMs + 10);
    this.#compare();
    this.#restartAndCompare();
    this.#counts.gaps = this.#clients.reduce((sum, { gaps }) => sum + gaps, 0);
    return this.#counts;
  }

  #newHost(): RoomHost {
    return new RoomHost({ negotiator: this.#negotiator, random: this.#random, limits: defaultRoomLimits });
  }

  #step(step: number, storm: boolean): void {
    for (const client of this.#clients) {
      if (!client.alive) {
        if (storm && this.#random.chance(0.05)) client.reconnect();
        continue;
      }
      if (storm && this.#random.chance(0.002)) this.#crash(client);
      else this.#ask(client, storm);
    }
    if (step % 10 === 0) {
      this.#announcePresence();
      for (const status of this.#node.statuses()) {
        this.#network.send("status", grants, () => this.#handle({ type: "session-status", status }));
      }
    }
    this.#model.tick(this.#network.nowMs);
    this.#handle({ type: "tick" });
  }

  #crash(client: ModelClient): void {
    client.alive = false;
    this.#asked.delete(client);
  }

  /** Sends the client's next request, or the one that is not answered yet once more. */
  #ask(client: ModelClient, storm: boolean): void {
    const { nowMs } = this.#network;
    const asked = this.#asked.get(client);
    if (asked !== undefined) {
      if (nowMs - asked.sentAtMs < repeatMs) return;
      if (asked.left === 0) this.#asked.delete(client);
      else this.#send(asked);
      return;
    }
    if (storm ? !this.#random.chance(0.25) : !client.joined || client.revision !== undefined) return;
    const method: Method = storm ? client.nextMethod(this.#random) : { case: "getSnapshot", value: {} };
    const requestId = this.#nextRequestId++;
    const command = create(RoomCommandSchema, {
      appId: "app",
      roomId: "room",
      connectionId: client.connectionId,
      requestId,
      userId: client.userId,
      grants: create(GrantsSchema, {
        create: true,
        permissions: { publish: true, subscribe: true, publishData: true, moderate: client.isHost },
      }),
      request: { roomId: "room", method },
    });
    const bytes = toBinary(RoomCommandSchema, command);
    const { connectionId } = client;
    const fresh: Asked = { client, connectionId, method, bytes, requestId, left: attempts, sentAtMs: 0 };
    this.#asked.set(client, fresh);
    this.#send(fresh);
  }

  #send(asked: Asked): void {
    asked.left -= 1;
    asked.sentAtMs = this.#network.nowMs;
    this.#network.send("request", requests, () => this.#arrive(asked));
  }

  /** A request has come to the room's owner: perhaps not for the first time. */
  #arrive(asked: Asked): void {
    if (this.#over) return;
    const command = fromBinary(RoomCommandSchema, asked.bytes);
    const replyTo = this.#nextReplyTo++;
    this.#replies.set(replyTo, asked);
    const outputs = this.#host.handle({ type: "command", command, replyTo }, this.#network.nowMs);
    const key = `${command.connectionId} ${command.requestId}`;
    const reply = outputs.find((output) => output.type === "reply")?.reply;
    assert.ok(reply !== undefined, "every command is answered");
    if (this.#executed.has(key)) this.#counts.repeated += 1;
    else {
      this.#executed.add(key);
      this.#tellModel(command, reply);
    }
    this.#carryOut(outputs);
  }

  #tellModel(command: RoomCommand, { result }: RoomCommandReply): void {
    if (result.case === "response") this.#counts.executed += 1;
    else {
      this.#counts.refused += 1;
      // Also a refused command shows that its connection lives.
      this.#model.seen(command.connectionId, this.#network.nowMs);
    }
    this.#model.executed(command, result.case === "response" ? result.value : undefined, this.#network.nowMs);
  }

  #handle(input: Parameters<RoomHost["handle"]>[0]): void {
    this.#carryOut(this.#host.handle(input, this.#network.nowMs));
  }

  #carryOut(outputs: readonly RoomOutput[]): void {
    for (const output of outputs) {
      if (output.type === "grant") {
        const bytes = grantBytes(output.grant);
        this.#network.send("grant", grants, () => this.#grantArrives(bytes));
      } else if (output.type === "event") {
        for (const connectionId of output.connectionIds) {
          this.#network.send(connectionId, events, () => this.#clientOf(connectionId)?.heard(output.event));
          const lobby = output.event.event.case === "lobbyChanged" ? output.event.event.value.waiting : undefined;
          const client = this.#clientOf(connectionId);
          if (lobby !== undefined && client !== undefined)
            client.lobby = lobby.map(({ participantId }) => participantId);
        }
      } else if (output.type === "reply") {
        const asked = this.#replies.get(output.replyTo);
        if (asked === undefined) continue;
        const bytes = toBinary(RoomCommandReplySchema, output.reply);
        this.#network.send(asked.connectionId, events, () => this.#replyArrives(asked, bytes));
      }
    }
  }

  #grantArrives(bytes: Uint8Array): void {
    const status = this.#node.take(bytes);
    if (status !== undefined) {
      this.#network.send("status", grants, () => this.#handle({ type: "session-status", status }));
    }
  }

  #replyArrives(asked: Asked, bytes: Uint8Array): void {
    if (this.#asked.get(asked.client) !== asked) return;
    this.#asked.delete(asked.client);
    const { result } = fromBinary(RoomCommandReplySchema, bytes);
    const error = result.case === "error" ? (errorName(result.value.number) ?? "") : "";
    asked.client.answered(asked.method, result.case === "response" ? result.value : undefined, error);
  }

  #clientOf(connectionId: string): ModelClient | undefined {
    return this.#clients.find((client) => client.alive && client.connectionId === connectionId);
  }

  #announcePresence(): void {
    for (const client of this.#clients) {
      if (!client.alive) continue;
      const { connectionId } = client;
      this.#network.send(`presence ${connectionId}`, presence, () => {
        // Only what a gateway knows: its clients that are in the room.
        if (!client.joined) return;
        this.#model.seen(connectionId, this.#network.nowMs);
        const alive = {
          $typeName: "parley.bus.v1.ConnectionAlive" as const,
          appId: "app",
          connectionId,
          roomIds: ["room"],
          tokenExpiresAtUnixMs: 0n,
          tokenRoomId: "",
        };
        this.#handle({ type: "presence", connections: [alive] });
      });
    }
  }

  #rebootNode(): void {
    const lost = this.#node.bootId;
    this.#node.reboot();
    this.#negotiator.node = { nodeId: this.#node.nodeId, bootId: this.#node.bootId };
    this.#model.nodeLost(this.#network.nowMs);
    this.#handle({ type: "node-lost", nodeId: this.#node.nodeId, bootId: lost });
  }

  #compare(): void {
    const { bindings } = this.#compareWithSnapshot();
    assert.deepEqual(this.#node.bindings(), bindings, "what the node sends is what the model says");
    this.#counts.bound += [...bindings.values()].filter((shown) => shown !== "nothing").length;
    const snapshot = this.#snapshot();
    for (const client of this.#clients) {
      if (!client.alive || !client.joined || client.waiting || client.revision === undefined) continue;
      if (this.#model.members.get(client.connectionId)?.waiting !== false) continue;
      assert.equal(client.revision, snapshot?.revision, `${client.connectionId} knows of every change`);
      assert.deepEqual(
        plainParticipants([...client.participants.values()]),
        plainParticipants(snapshot?.participants ?? []),
      );
      assert.deepEqual(plainStreams([...client.streams.values()]), plainStreams(snapshot?.streams ?? []));
    }
  }

  #compareWithSnapshot() {
    const snapshot = this.#snapshot();
    const members = [...this.#model.members.values()].filter(({ waiting }) => !waiting);
    assert.deepEqual(
      plainParticipants(snapshot?.participants ?? []),
      members.length === 0
        ? []
        : members
            .map(({ participantId, userId, hand, attributes, permissions: { publish, subscribe } }) => ({
              participantId,
              userId,
              hand,
              attributes,
              publish,
              subscribe,
            }))
            .sort(byKey),
    );
    assert.deepEqual(
      plainStreams(snapshot?.streams ?? []),
      [...this.#model.streams]
        .map(([streamId, { connectionId, name, tracks }]) => ({
          streamId,
          participantId: this.#model.members.get(connectionId)?.participantId ?? "",
          name,
          tracks: tracks.map(({ mid, muted }) => `${mid} ${muted ? "muted" : ""}`).sort(),
        }))
        .sort(byKey),
    );
    if (snapshot !== undefined) {
      assert.deepEqual([snapshot.room?.locked, snapshot.room?.lobbyEnabled], [this.#model.locked, this.#model.lobby]);
    }
    return { bindings: this.#model.bindings() };
  }

  /** The room as one of its members would get it; undefined when nobody is in it. */
  #snapshot(): Snapshot | undefined {
    const [connectionId] = [...this.#model.members].find(([, { waiting }]) => !waiting) ?? [];
    if (connectionId === undefined) return undefined;
    const command = create(RoomCommandSchema, {
      appId: "app",
      roomId: "room",
      connectionId,
      requestId: this.#nextRequestId++,
      userId: "anybody",
      grants: create(GrantsSchema),
      request: { roomId: "room", method: { case: "getSnapshot", value: {} } },
    });
    const outputs = this.#host.handle({ type: "command", command, replyTo: 0 }, this.#network.nowMs);
    const reply = outputs.find((output) => output.type === "reply")?.reply.result;
    assert.ok(reply?.case === "response" && reply.value.result.case === "snapshot", `${connectionId} is in the room`);
    return reply.value.result.value;
  }

  /** Another process takes over: whoever has a session is still there, and the node goes on sending the same. */
  #restartAndCompare(): void {
    this.#over = true;
    const before = this.#node.bindings();
    const held = this.#node.living();
    this.#host = this.#newHost();
    this.#handle({ type: "recover" });
    for (const grant of held)
      this.#handle({ type: "grant-held", grant: fromBinary(SessionGrantSchema, grantBytes(grant)) });
    for (let step = 0; step < 20; step += 1) {
      this.#network.runUntil(this.#network.nowMs + tickMs);
      if (step % 10 === 5) this.#announcePresence();
      this.#handle({ type: "tick" });
    }
    assert.deepEqual(this.#node.bindings(), before, "after a restart the node sends what it sent");
    assert.equal(this.#host.sessionCount, held.length);
    this.#counts.rebuilt += held.length;
  }
}

function plainParticipants(participants: readonly Participant[]) {
  return participants
    .map(({ participantId, userId, handRaised, attributes, permissions }) => ({
      participantId,
      userId,
      hand: handRaised,
      attributes,
      publish: permissions?.publish ?? false,
      subscribe: permissions?.subscribe ?? false,
    }))
    .sort(byKey);
}

function plainStreams(streams: readonly Stream[]) {
  return streams
    .map(({ streamId, participantId, name, tracks }) => ({
      streamId,
      participantId,
      name,
      tracks: tracks.map(({ mid, muted }) => `${mid} ${muted ? "muted" : ""}`).sort(),
    }))
    .sort(byKey);
}

function byKey(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
