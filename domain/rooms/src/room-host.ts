import { create } from "@bufbuild/protobuf";
import { err, isValidName, type Result } from "@parley/foundation";
import {
  RoomCommandReplySchema,
  type AudioLevels,
  type ConnectionAlive,
  type Join,
  type RoomCommand,
  type RoomCommandReply,
  type RoomKind,
  type RoomResponse,
  type SessionGrant,
  type SessionStatus,
} from "@parley/protocol";
import { extendStay, runCommand } from "./commands.ts";
import { GrantKeeper } from "./grant-keeper.ts";
import type { Refusal, ReplyHandle, RoomInput, RoomOutput } from "./io.ts";
import { removeMember } from "./membership.ts";
import { isMove, Mover } from "./mover.ts";
import { Outbox, wireError } from "./outbox.ts";
import type { RoomPorts } from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { Announcements, forgive } from "./presence.ts";
import { ReplyCache } from "./reply-cache.ts";
import { followSpeech, kindOf, makeRoom, settle, tickRoom } from "./room.ts";
import { rebuildRooms } from "./rebuild.ts";
import { nodeLost, takeLevels, takeStatus } from "./session-status.ts";
import type { RoomState } from "./state.ts";
import { Strangers } from "./strangers.ts";

/** Ticks come every 100 ms; a longer pause than this was a stall. */
const longestTickMs = 500;

/**
 * All rooms that one process writes. Sans-IO: inputs and the time in, outputs out; the time is in milliseconds since 1970, and never goes back.
 * A call leaves every room consistent, and its outputs are complete and in order.
 */
export class RoomHost {
  readonly #ports: RoomPorts;
  readonly #out = new Outbox();
  readonly #rooms = new Map<string, RoomState>();
  readonly #replies = new ReplyCache<RoomCommandReply>();
  readonly #mover: Mover;
  readonly #grants = new GrantKeeper();
  readonly #announcements = new Announcements();
  readonly #strangers = new Strangers();
  #recovery: Recovery | undefined;
  #tickedAtMs: number | undefined;

  constructor(ports: RoomPorts) {
    this.#ports = ports;
    this.#mover = new Mover({
      out: this.#out,
      find: (appId, roomId) => this.#rooms.get(roomKey(appId, roomId)),
      make: (appId, roomId, kind, nowMs) => this.#makeRoom(appId, roomId, kind, nowMs),
      done: (room) => this.#done(room),
      answer: (command, replies, result, nowMs) => {
        const reply = replyOf(result);
        this.#replies.put(command.appId, command.connectionId, requestKeyOf(command), reply, nowMs);
        for (const replyTo of replies) this.#out.push({ type: "reply", replyTo, reply });
      },
    });
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
    if (this.#recovery?.keeps(input, nowMs) !== true) this.#apply(input, nowMs);
    if (input.type !== "tick") return this.#take(nowMs);
    this.#endRecovery(nowMs);
    const outputs = this.#take(nowMs);
    for (const { nodeId, grant } of this.#grants.due(nowMs)) outputs.push({ type: "grant", nodeId, grant });
    outputs.push(...this.#grants.standing(nowMs));
    return outputs;
  }

  /** The grant whose ufrag a node asks for. */
  grantByUfrag(localUfrag: string): SessionGrant | undefined {
    return this.#grants.byUfrag(localUfrag);
  }

  #apply(input: RoomInput, nowMs: number): void {
    switch (input.type) {
      case "recover":
        this.#recovery = new Recovery(nowMs);
        break;
      case "command":
        this.#command(input.command, input.replyTo, nowMs);
        break;
      case "session-status":
        this.#status(input.status, nowMs);
        break;
      case "audio-levels":
        this.#audioLevels(input.levels, nowMs);
        break;
      case "node-lost":
        for (const room of this.#rooms.values()) nodeLost(room, input.nodeId, input.bootId, nowMs);
        this.#settleAll();
        this.#remember(nowMs);
        this.#grants.forgetNode(input.nodeId, input.bootId);
        break;
      case "presence":
        this.#presence(input.connections, nowMs);
        break;
      case "connection-gone":
        this.#connectionGone(input.appId, input.connectionId, nowMs);
        break;
      case "transfer":
        this.#mover.transfer(input.transfer, input.replyTo, nowMs);
        break;
      case "transfer-answered":
        this.#mover.answered(input.transferId, input.reply, nowMs);
        break;
      case "transfer-settled":
        this.#mover.settled(input.settled, nowMs);
        break;
      case "grant-held":
        // Asked for only while recovering: later, what a node holds is what it was told.
        break;
      case "tick":
        this.#forgiveStall(nowMs);
        for (const room of this.#rooms.values()) tickRoom(room, nowMs);
        this.#settleAll();
        this.#replies.sweep(nowMs);
        this.#mover.release(nowMs);
        this.#mover.sweep(nowMs);
        this.#strangers.sweep(nowMs);
        break;
    }
  }

  #command(command: RoomCommand, replyTo: ReplyHandle, nowMs: number): void {
    const { appId, connectionId } = command;
    const requestKey = requestKeyOf(command);
    if (this.#mover.awaits(command, replyTo)) return;
    const reply = this.#replies.get(appId, connectionId, requestKey) ?? this.#execute(command, replyTo, nowMs);
    if (reply === undefined) return;
    // Asking twice changes nothing, and a snapshot is large.
    if (command.request?.method.case !== "getSnapshot") {
      this.#replies.put(appId, connectionId, requestKey, reply, nowMs);
    }
    this.#out.push({ type: "reply", replyTo, reply });
  }

  /** Undefined: the answer comes later. */
  #execute(command: RoomCommand, replyTo: ReplyHandle, nowMs: number): RoomCommandReply | undefined {
    const room = this.#roomFor(command, nowMs);
    if ("name" in room) return replyOf(err(room));
    if (isMove(command)) {
      const refusal = this.#mover.begin(room, command, [replyTo], nowMs);
      return refusal === undefined ? undefined : replyOf(err(refusal));
    }
    const result = runCommand(room, command, nowMs);
    this.#done(room);
    return replyOf(result);
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
    return this.#makeRoom(appId, roomId, kindOf(method.value satisfies Join), nowMs);
  }

  #makeRoom(appId: string, roomId: string, kind: RoomKind, nowMs: number): RoomState | Refusal {
    if (this.#rooms.size >= this.#ports.limits.maxRooms) return { name: "too-many-rooms" };
    const made = makeRoom(this.#ports, this.#out, { appId, roomId, kind, nowMs });
    this.#rooms.set(roomKey(appId, roomId), made);
    return made;
  }

  #status(status: SessionStatus, nowMs: number): void {
    this.#grants.acknowledge(status, nowMs);
    const room = this.#rooms.get(roomKey(status.appId, status.roomId));
    if (room === undefined) return;
    takeStatus(room, status, nowMs);
    this.#done(room);
  }

  #audioLevels({ nodeId, nodeBootId, rooms }: AudioLevels, nowMs: number): void {
    for (const { appId, roomId, tracks } of rooms) {
      const room = this.#rooms.get(roomKey(appId, roomId));
      if (room === undefined) continue;
      takeLevels(room, { nodeId, nodeBootId }, tracks);
      followSpeech(room, nowMs);
      settle(room);
    }
  }

  #presence(connections: readonly ConnectionAlive[], nowMs: number): void {
    const { announcement, isDone } = this.#announcements.hear(connections, nowMs);
    if (isDone) return;
    for (const alive of connections) {
      for (const roomId of alive.roomIds) {
        const room = this.#rooms.get(roomKey(alive.appId, roomId));
        const member = room?.byConnection.get(alive.connectionId);
        if (room === undefined || member === undefined) {
          announcement.isSettled = false;
          this.#strangers.seen(this.#out, alive, roomId, nowMs);
        } else {
          member.announcement = announcement;
          member.arrivedBy = undefined;
          extendStay(room, member, Number(alive.tokenExpiresAtUnixMs), alive.tokenRoomId);
        }
      }
    }
  }

  #connectionGone(appId: string, connectionId: string, nowMs: number): void {
    for (const room of this.#rooms.values()) {
      const member = room.appId === appId ? room.byConnection.get(connectionId) : undefined;
      if (member === undefined) continue;
      removeMember(room, member, nowMs, "lost", undefined);
      this.#done(room);
    }
  }

  /** Rebuilds the rooms from what the nodes hold, then does what waited for that. */
  #endRecovery(nowMs: number): void {
    if (this.#recovery?.isOver(nowMs) !== true) return;
    const { held, waiting } = this.#recovery;
    this.#recovery = undefined;
    const rooms = new Map<string, RoomState>();
    rebuildRooms(
      held,
      ({ grant: { appId, roomId }, state }) => {
        const key = roomKey(appId, roomId);
        const kind = state.room?.kind ?? 0;
        const createdAtUnixMs = Number(state.room?.createdAtUnixMs ?? 0n) || nowMs;
        const room =
          this.#rooms.get(key) ?? makeRoom(this.#ports, this.#out, { appId, roomId, kind, nowMs, createdAtUnixMs });
        this.#rooms.set(key, room);
        rooms.set(key, room);
        return room;
      },
      nowMs,
    );
    for (const room of rooms.values()) {
      // The members know what their slots show: nothing has changed for them.
      room.rebound.clear();
      settle(room);
    }
    for (const input of waiting) this.#apply(input, nowMs);
  }

  /** After a stall of our own everybody seems silent: their announcements wait in our queue. The time we did not look does not count. */
  #forgiveStall(nowMs: number): void {
    const missedMs = nowMs - (this.#tickedAtMs ?? nowMs) - longestTickMs;
    this.#tickedAtMs = nowMs;
    if (missedMs <= 0) return;
    forgive(
      [...this.#rooms.values()].flatMap(({ members }) => [...members.values()]),
      missedMs,
    );
    for (const room of this.#rooms.values()) {
      for (const stream of room.streams.values()) stream.orphanedAtMs += missedMs;
    }
  }

  #settleAll(): void {
    for (const room of this.#rooms.values()) this.#done(room);
  }

  #done(room: RoomState): void {
    settle(room);
    if (room.members.size === 0) this.#rooms.delete(roomKey(room.appId, room.roomId));
  }

  #take(nowMs: number): RoomOutput[] {
    this.#remember(nowMs);
    return this.#out.take();
  }

  #remember(nowMs: number): void {
    for (const { nodeId, grant } of this.#out.newGrants()) this.#grants.put(nodeId, grant, nowMs);
  }
}

function roomKey(appId: string, roomId: string): string {
  return JSON.stringify([appId, roomId]);
}

function requestKeyOf({ roomId, requestId }: RoomCommand): string {
  return `${roomId} ${requestId}`;
}

function replyOf(result: Result<RoomResponse, Refusal>): RoomCommandReply {
  return create(RoomCommandReplySchema, {
    result: result.ok ? { case: "response", value: result.value } : { case: "error", value: wireError(result.error) },
  });
}
