import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  errorName,
  GrantsSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  SessionGrantSchema,
  type RoomCommand,
  type RoomCommandReply,
  type RoomTransfer,
  type SessionStatus,
  type RoomTransferReply,
  type RoomTransferSettled,
  type Snapshot,
} from "@parley/protocol";
import { SeededRandom } from "@parley/testing";
import { defaultRoomLimits, RoomHost, type RoomOutput } from "../../src/index.ts";
import { FakeNegotiator } from "../fake-negotiator.ts";
import type { Method } from "../room-bench.ts";
import { LossyNetwork, type LossyOptions } from "./lossy-network.ts";
import { byKey, plainParticipants, plainStreams } from "./plain-state.ts";
import { ModelClient, rooms } from "./model-client.ts";
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
/** Of the calm: by then the vanished have been noticed, and everybody is where they think they are. */
const lastWordsFromStep = 120;

interface Asked {
  readonly client: ModelClient;
  readonly connectionId: string;
  readonly roomId: string;
  readonly method: Method;
  readonly bytes: Uint8Array;
  readonly requestId: bigint;
  left: number;
  sentAtMs: number;
}

/** A move whose other room has not answered yet. */
interface Transferring {
  readonly transfer: RoomTransfer;
  /** Who they were when it was asked. */
  readonly participantIds: readonly string[];
  readonly dueMs: number;
}

/** One seeded run: a storm, then calm, then everybody is compared. */
export class ModelRun {
  readonly #random: SeededRandom;
  readonly #network: LossyNetwork;
  readonly #node = new ModelNode();
  readonly #models = new Map<string, RoomModel>(rooms.map((roomId) => [roomId, new RoomModel()]));
  /** Moves whose other room has not answered yet. */
  readonly #transfers = new Map<string, Transferring>();
  readonly #transferred = new Set<string>();
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
  readonly #counts = {
    executed: 0,
    refused: 0,
    repeated: 0,
    gaps: 0,
    bound: 0,
    rebuilt: 0,
    moved: 0,
    held: 0,
    banned: 0,
    heard: 0,
  };

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
      this.#step(step, false, step >= lastWordsFromStep);
    }
    // What the last step sent.
    network.runUntil(network.nowMs + 10);
    this.#compare();
    this.#compareMessages();
    this.#restartAndCompare();
    this.#counts.gaps = this.#clients.reduce((sum, { gaps }) => sum + gaps, 0);
    return this.#counts;
  }

  #newHost(): RoomHost {
    return new RoomHost({ negotiator: this.#negotiator, random: this.#random, limits: defaultRoomLimits });
  }

  #step(step: number, storm: boolean, lastWords = false): void {
    for (const client of this.#clients) {
      if (!client.alive) {
        if (storm && this.#random.chance(0.05)) client.reconnect();
        continue;
      }
      if (storm && this.#random.chance(0.002)) this.#crash(client);
      else this.#ask(client, storm, lastWords);
    }
    if (step % 10 === 0) {
      this.#announcePresence();
      for (const status of this.#node.statuses()) {
        this.#network.send("status", grants, () => this.#handle({ type: "session-status", status }));
      }
    }
    this.#giveUpTransfers();
    for (const model of this.#models.values()) model.tick(this.#network.nowMs);
    this.#handle({ type: "tick" });
  }

  #crash(client: ModelClient): void {
    client.alive = false;
    this.#asked.delete(client);
  }

  /** Sends the client's next request, or the one that is not answered yet once more. */
  #ask(client: ModelClient, storm: boolean, lastWords: boolean): void {
    const { nowMs } = this.#network;
    const asked = this.#asked.get(client);
    if (asked !== undefined) {
      if (nowMs - asked.sentAtMs < repeatMs) return;
      if (asked.left === 0) this.#asked.delete(client);
      else this.#send(asked);
      return;
    }
    const method = storm ? this.#stormMethod(client) : calmMethod(client, lastWords);
    if (method === undefined) return;
    const { roomId } = client;
    const requestId = this.#nextRequestId++;
    const command = create(RoomCommandSchema, {
      appId: "app",
      roomId,
      connectionId: client.connectionId,
      requestId,
      userId: client.userId,
      grants: create(GrantsSchema, {
        create: true,
        permissions: { publish: true, subscribe: true, publishData: true, moderate: client.isHost },
      }),
      request: { roomId, method },
    });
    const bytes = toBinary(RoomCommandSchema, command);
    const { connectionId } = client;
    const fresh: Asked = { client, connectionId, roomId, method, bytes, requestId, left: attempts, sentAtMs: 0 };
    this.#asked.set(client, fresh);
    this.#send(fresh);
  }

  #stormMethod(client: ModelClient): Method | undefined {
    return this.#random.chance(0.25) ? client.nextMethod(this.#random) : undefined;
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
    const isMove = asked.method.case === "moderate" && asked.method.value.command?.case === "move";
    assert.ok(reply !== undefined || isMove, "every command is answered, a move when the other room has");
    if (this.#executed.has(key)) {
      this.#counts.repeated += 1;
      // The only one that is carried out again, and so a sign of life.
      if (asked.method.case === "getSnapshot")
        this.#modelOf(command.roomId).seen(command.connectionId, this.#network.nowMs);
    } else {
      this.#executed.add(key);
      if (reply === undefined && !outputs.some(({ type }) => type === "transfer-request")) this.#counts.held += 1;
      // What a move comes to is told when the rooms have agreed.
      if (reply !== undefined && !isMove) this.#tellModel(command, reply);
    }
    this.#carryOut(outputs);
  }

  #tellModel(command: RoomCommand, { result }: RoomCommandReply): void {
    const model = this.#modelOf(command.roomId);
    if (result.case === "response") this.#counts.executed += 1;
    else {
      this.#counts.refused += 1;
      if (result.case === "error" && errorName(result.value.number) === "banned") this.#counts.banned += 1;
      // Also a refused command shows that its connection lives.
      model.seen(command.connectionId, this.#network.nowMs);
    }
    model.executed(command, result.case === "response" ? result.value : undefined, this.#network.nowMs);
  }

  #handle(input: Parameters<RoomHost["handle"]>[0]): void {
    this.#carryOut(this.#host.handle(input, this.#network.nowMs));
  }

  #carryOut(outputs: readonly RoomOutput[]): void {
    for (const output of outputs) {
      if (output.type === "grant") {
        const bytes = grantBytes(output.grant);
        this.#network.send("grant", grants, () => this.#grantArrives(bytes));
      } else if (output.type === "standing-grants") {
        this.#network.send("grant", grants, () => {
          for (const status of this.#node.confirm(output)) this.#statusLeaves(status);
        });
      } else if (output.type === "event") {
        for (const connectionId of output.connectionIds) {
          this.#network.send(connectionId, events, () => this.#clientOf(connectionId)?.heard(output.event));
          const lobby = output.event.event.case === "lobbyChanged" ? output.event.event.value.waiting : undefined;
          const client = this.#clientOf(connectionId);
          if (lobby !== undefined && client?.roomId === output.event.roomId)
            client.lobby = lobby.map(({ participantId }) => participantId);
        }
      } else if (output.type === "transfer-request") {
        const { transfer, deadlineMs } = output;
        const members = this.#modelOf(transfer.fromRoomId);
        this.#transfers.set(transfer.transferId, {
          transfer,
          participantIds: transfer.participants.map(
            (one) => members.members.get(one.connectionId)?.participantId ?? "",
          ),
          dueMs: this.#network.nowMs + deadlineMs,
        });
        this.#network.send("transfer", requests, () => this.#transferArrives(transfer));
      } else if (output.type === "transfer-settled") {
        const { settled } = output;
        this.#network.send("transfer", requests, () => this.#settledArrives(settled));
      } else if (output.type === "reply") {
        const asked = this.#replies.get(output.replyTo);
        if (asked === undefined) continue;
        const bytes = toBinary(RoomCommandReplySchema, output.reply);
        this.#network.send(asked.connectionId, events, () => this.#replyArrives(asked, bytes));
      }
    }
  }

  #modelOf(roomId: string): RoomModel {
    const model = this.#models.get(roomId);
    assert.ok(model !== undefined);
    return model;
  }

  /** The owner of the other room is asked to take people in, perhaps not for the first time. */
  #transferArrives(transfer: RoomTransfer): void {
    if (this.#over) return;
    const outputs = this.#host.handle({ type: "transfer", transfer, replyTo: 0 }, this.#network.nowMs);
    const reply = outputs.find((output) => output.type === "transfer-reply")?.reply;
    assert.ok(reply !== undefined, "every transfer is answered");
    if (!this.#transferred.has(transfer.transferId)) {
      this.#transferred.add(transfer.transferId);
      const leaving = [...this.#transfers.values()].filter((other) => other.transfer.fromRoomId === transfer.toRoomId);
      const busy = new Set(leaving.flatMap((other) => other.transfer.participants.map((one) => one.connectionId)));
      this.#modelOf(transfer.toRoomId).arrived(transfer, reply, busy, this.#network.nowMs);
    }
    this.#carryOut(outputs);
    this.#network.send("transfer", requests, () => this.#transferAnswered(transfer.transferId, reply));
  }

  #transferAnswered(transferId: string, reply: RoomTransferReply | undefined): void {
    const pending = this.#transfers.get(transferId);
    if (pending === undefined || this.#over) return;
    this.#transfers.delete(transferId);
    const kept = reply === undefined ? [] : this.#modelOf(pending.transfer.fromRoomId).departed(pending, reply);
    this.#counts.moved += kept.length;
    const outputs = this.#host.handle({ type: "transfer-answered", transferId, reply }, this.#network.nowMs);
    const settled = outputs.find((output) => output.type === "transfer-settled")?.settled;
    assert.deepEqual(settled?.keptConnectionIds, kept, "the other room is told who has really gone");
    this.#carryOut(outputs);
  }

  #settledArrives(settled: RoomTransferSettled): void {
    if (this.#over) return;
    this.#transferred.add(settled.transferId);
    this.#modelOf(settled.toRoomId).settled(settled);
    this.#handle({ type: "transfer-settled", settled });
  }

  #giveUpTransfers(): void {
    for (const [transferId, { dueMs }] of this.#transfers) {
      if (this.#network.nowMs >= dueMs) this.#transferAnswered(transferId, undefined);
    }
  }

  #grantArrives(bytes: Uint8Array): void {
    const status = this.#node.take(bytes);
    if (status !== undefined) this.#statusLeaves(status);
  }

  #statusLeaves(status: SessionStatus): void {
    this.#network.send("status", grants, () => this.#handle({ type: "session-status", status }));
  }

  #replyArrives(asked: Asked, bytes: Uint8Array): void {
    if (this.#asked.get(asked.client) !== asked) return;
    this.#asked.delete(asked.client);
    // An answer from a room that it is not in any more.
    if (asked.roomId !== asked.client.roomId) return;
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
        this.#modelOf(client.roomId).seen(connectionId, this.#network.nowMs);
        const alive = {
          $typeName: "parley.bus.v1.ConnectionAlive" as const,
          appId: "app",
          connectionId,
          roomIds: [client.roomId],
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
    for (const model of this.#models.values()) model.nodeLost(this.#network.nowMs);
    this.#handle({ type: "node-lost", nodeId: this.#node.nodeId, bootId: lost });
  }

  #compare(): void {
    const bindings = new Map<string, string>();
    for (const [roomId, model] of this.#models) {
      this.#compareRoom(roomId, model);
      for (const [key, shown] of model.bindings()) bindings.set(`${roomId} ${key}`, shown);
    }
    assert.deepEqual(this.#node.bindings(), bindings, "what the node sends is what the model says");
    this.#counts.bound += [...bindings.values()].filter((shown) => shown !== "nothing").length;
  }

  #compareRoom(roomId: string, model: RoomModel): void {
    this.#compareWithSnapshot(roomId, model);
    const snapshot = this.#snapshot(roomId, model);
    for (const client of this.#clients) {
      if (!client.alive || !client.joined || client.waiting || client.revision === undefined) continue;
      if (client.roomId !== roomId) continue;
      if (model.members.get(client.connectionId)?.waiting !== false) continue;
      assert.equal(client.revision, snapshot?.revision, `${client.connectionId} knows of every change`);
      assert.deepEqual(
        plainParticipants([...client.participants.values()]),
        plainParticipants(snapshot?.participants ?? []),
      );
      assert.deepEqual(plainStreams([...client.streams.values()]), plainStreams(snapshot?.streams ?? []));
    }
  }

  /** A data message comes to those it was for, at most once; when nothing is lost, exactly once. */
  #compareMessages(): void {
    const meant = new Set<string>();
    const certain: string[] = [];
    for (const { messages } of this.#models.values()) {
      for (const { text, connectionIds } of messages) {
        for (const connectionId of connectionIds) {
          meant.add(`${connectionId} < ${text}`);
          const client = this.#clientOf(connectionId);
          if (text.endsWith(" last") && client !== undefined && client.joined)
            certain.push(`${connectionId} < ${text}`);
        }
      }
    }
    for (const { received } of this.#clients) {
      assert.equal(new Set(received).size, received.length, "no data message comes twice");
      for (const one of received) assert.ok(meant.has(one), `${one}: it was not for them`);
      this.#counts.heard += received.length;
    }
    const all = new Set(this.#clients.flatMap(({ received }) => received));
    for (const one of certain) assert.ok(all.has(one), `${one} did not come`);
  }

  #compareWithSnapshot(roomId: string, model: RoomModel): void {
    const snapshot = this.#snapshot(roomId, model);
    const members = [...model.members.values()].filter(({ waiting }) => !waiting);
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
      [...model.streams]
        .map(([streamId, { connectionId, name, tracks }]) => ({
          streamId,
          participantId: model.members.get(connectionId)?.participantId ?? "",
          name,
          tracks: tracks.map(({ mid, muted }) => `${mid} ${muted ? "muted" : ""}`).sort(),
        }))
        .sort(byKey),
    );
    if (snapshot !== undefined) {
      assert.deepEqual([snapshot.room?.locked, snapshot.room?.lobbyEnabled], [model.locked, model.lobby]);
    }
  }

  /** The room as one of its members would get it; undefined when nobody is in it. */
  #snapshot(roomId: string, model: RoomModel): Snapshot | undefined {
    const [connectionId] = [...model.members].find(([, { waiting }]) => !waiting) ?? [];
    if (connectionId === undefined) return undefined;
    const command = create(RoomCommandSchema, {
      appId: "app",
      roomId,
      connectionId,
      requestId: this.#nextRequestId++,
      userId: "anybody",
      grants: create(GrantsSchema),
      request: { roomId, method: { case: "getSnapshot", value: {} } },
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

/** After the storm: whoever lost track asks for the snapshot; at the end everybody says something to all. */
function calmMethod(client: ModelClient, lastWords: boolean): Method | undefined {
  if (!client.joined) return undefined;
  if (client.revision === undefined) return { case: "getSnapshot", value: {} };
  return lastWords && !client.waiting && client.saidLast !== client.connectionId ? client.lastWords() : undefined;
}
