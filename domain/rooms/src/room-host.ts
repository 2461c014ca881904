import { create } from "@bufbuild/protobuf";
import { isValidName } from "@parley/foundation";
import {
  RoomCommandReplySchema,
  type ConnectionAlive,
  type RoomCommand,
  type RoomCommandReply,
  type SessionGrant,
  type SessionStatus,
} from "@parley/protocol";
import { runCommand } from "./commands.ts";
import { GrantKeeper } from "./grant-keeper.ts";
import type { Refusal, RoomInput, RoomOutput } from "./io.ts";
import { removeMember } from "./membership.ts";
import { Outbox, wireError } from "./outbox.ts";
import type { RoomPorts } from "./ports.ts";
import { ReplyCache } from "./reply-cache.ts";
import { kindOf, makeRoom, settle, tickRoom } from "./room.ts";
import { nodeLost, takeStatus } from "./session-status.ts";
import type { RoomState } from "./state.ts";

/**
 * All rooms that one process writes. Sans-IO: inputs and the time in, outputs out; the time is in milliseconds since 1970, and never goes back.
 * A call leaves every room consistent, and its outputs are complete and in order.
 */
export class RoomHost {
  readonly #ports: RoomPorts;
  readonly #out = new Outbox();
  readonly #rooms = new Map<string, RoomState>();
  readonly #replies = new ReplyCache();
  readonly #grants = new GrantKeeper();

  constructor(ports: RoomPorts) {
    this.#ports = ports;
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  get participantCount(): number {
    let count = 0;
    for (const room of this.#rooms.values()) count += room.members.size;
    return count;
  }

  get sessionCount(): number {
    let count = 0;
    for (const room of this.#rooms.values()) count += room.sessions.size;
    return count;
  }

  handle(input: RoomInput, nowMs: number): RoomOutput[] {
    switch (input.type) {
      case "command":
        this.#out.push({ type: "reply", replyTo: input.replyTo, reply: this.#command(input.command, nowMs) });
        break;
      case "session-status":
        this.#status(input.status, nowMs);
        break;
      case "node-lost":
        this.#grants.forgetNode(input.nodeId, input.bootId);
        for (const room of this.#rooms.values()) nodeLost(room, input.nodeId, input.bootId, nowMs);
        this.#settleAll();
        this.#grants.forgetNode(input.nodeId, input.bootId);
        break;
      case "presence":
        this.#presence(input.connections, nowMs);
        break;
      case "connection-gone":
        this.#connectionGone(input.appId, input.connectionId, nowMs);
        break;
      case "tick":
        for (const room of this.#rooms.values()) tickRoom(room, nowMs);
        this.#settleAll();
        this.#replies.sweep(nowMs);
        break;
      default:
    }
    return this.#take(nowMs);
  }

  /** The grant whose ufrag a node asks for. */
  grantByUfrag(localUfrag: string): SessionGrant | undefined {
    return this.#grants.byUfrag(localUfrag);
  }

  #command(command: RoomCommand, nowMs: number): RoomCommandReply {
    const { appId, connectionId } = command;
    const requestKey = `${command.roomId} ${command.requestId}`;
    const kept = this.#replies.get(appId, connectionId, requestKey);
    if (kept !== undefined) return kept;
    const reply = this.#execute(command, nowMs);
    this.#replies.put(appId, connectionId, requestKey, reply, nowMs);
    return reply;
  }

  #execute(command: RoomCommand, nowMs: number): RoomCommandReply {
    const room = this.#roomFor(command, nowMs);
    if ("name" in room) return refused(room);
    const result = runCommand(room, command, nowMs);
    settle(room);
    this.#dropIfEmpty(room);
    if (!result.ok) return refused(result.error);
    return create(RoomCommandReplySchema, { result: { case: "response", value: result.value } });
  }

  /** The room of a command; a join makes it when the token says so. */
  #roomFor(command: RoomCommand, nowMs: number): RoomState | Refusal {
    const { appId, roomId } = command;
    if (!isValidName(roomId)) return { name: "bad-id", detail: "The room's name." };
    const room = this.#rooms.get(roomKey(appId, roomId));
    if (room !== undefined) return room;
    const method = command.request?.method;
    if (method?.case !== "join") return { name: "not-in-room" };
    if (command.grants?.create !== true) return { name: "room-not-there" };
    if (this.#rooms.size >= this.#ports.limits.maxRooms) return { name: "too-many-rooms" };
    const made = makeRoom(this.#ports, this.#out, { appId, roomId, kind: kindOf(method.value), nowMs });
    this.#rooms.set(roomKey(appId, roomId), made);
    return made;
  }

  #status(status: SessionStatus, nowMs: number): void {
    this.#grants.acknowledge(status);
    const room = this.#rooms.get(roomKey(status.appId, status.roomId));
    if (room === undefined) return;
    takeStatus(room, status, nowMs);
    settle(room);
    this.#dropIfEmpty(room);
  }

  #presence(connections: readonly ConnectionAlive[], nowMs: number): void {
    for (const { appId, connectionId, roomIds, tokenExpiresAtUnixMs } of connections) {
      for (const roomId of roomIds) {
        const member = this.#rooms.get(roomKey(appId, roomId))?.byConnection.get(connectionId);
        if (member === undefined) continue;
        member.seenAtMs = nowMs;
        if (tokenExpiresAtUnixMs !== 0n) member.expiresAtUnixMs = Number(tokenExpiresAtUnixMs);
      }
    }
  }

  #connectionGone(appId: string, connectionId: string, nowMs: number): void {
    for (const room of this.#rooms.values()) {
      const member = room.appId === appId ? room.byConnection.get(connectionId) : undefined;
      if (member === undefined) continue;
      removeMember(room, member, nowMs, "lost", undefined);
    }
    this.#settleAll();
  }

  #settleAll(): void {
    for (const room of this.#rooms.values()) {
      settle(room);
      this.#dropIfEmpty(room);
    }
  }

  #dropIfEmpty(room: RoomState): void {
    if (room.members.size === 0) this.#rooms.delete(roomKey(room.appId, room.roomId));
  }

  /** What was put out, with the grants that are due again. */
  #take(nowMs: number): RoomOutput[] {
    const outputs = this.#out.take();
    for (const output of outputs) if (output.type === "grant") this.#grants.put(output.nodeId, output.grant, nowMs);
    for (const { nodeId, grant } of this.#grants.due(nowMs)) outputs.push({ type: "grant", nodeId, grant });
    return outputs;
  }
}

function roomKey(appId: string, roomId: string): string {
  return JSON.stringify([appId, roomId]);
}

function refused(refusal: Refusal): RoomCommandReply {
  return create(RoomCommandReplySchema, { result: { case: "error", value: wireError(refusal) } });
}
