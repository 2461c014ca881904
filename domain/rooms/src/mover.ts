import { create } from "@bufbuild/protobuf";
import {
  RoomResponseSchema,
  RoomTransferReplySchema,
  RoomTransferSettledSchema,
  TransferResultSchema,
  type RoomCommand,
  type RoomKind,
  type RoomResponse,
  type RoomTransfer,
  type RoomTransferReply,
  type RoomTransferSettled,
} from "@parley/protocol";
import { err, ok, type Result } from "@parley/foundation";
import type { Refusal, ReplyHandle } from "./io.ts";
import { finishMove, membersToMove, planTransfer, receiveTransfer, settleTransfer } from "./moves.ts";
import { wireError, type Outbox } from "./outbox.ts";
import { PendingMoves, type HeldMove } from "./pending-moves.ts";
import { ReplyCache } from "./reply-cache.ts";
import type { Member, RoomState } from "./state.ts";

/** The other room's owner has answered within this, or the move has failed. So long waits a move for another one. */
const transferDeadlineMs = 3_000;

/** What moving people needs of those who own the rooms. */
export interface MoverPorts {
  readonly out: Outbox;
  find(appId: string, roomId: string): RoomState | undefined;
  make(appId: string, roomId: string, kind: RoomKind, nowMs: number): RoomState | Refusal;
  /** The end of whatever was done to a room. */
  done(room: RoomState): void;
  /** The answer to a host's command. */
  answer(
    command: RoomCommand,
    replies: readonly ReplyHandle[],
    result: Result<RoomResponse, Refusal>,
    nowMs: number,
  ): void;
}

/**
 * Moves between rooms, from both ends. The room that people leave decides: it asks the other one to take them in, lets them go when that has said
 * that it did, and tells it whom it let go (docs/decisions/0020). One move of a member at a time: the next one waits for its end, at both ends.
 */
export class Mover {
  readonly #ports: MoverPorts;
  readonly #moves = new PendingMoves();
  readonly #replies = new ReplyCache<RoomTransferReply>();

  constructor(ports: MoverPorts) {
    this.#ports = ports;
  }

  /** Whether the command is one that waits for its answer already. */
  awaits(command: RoomCommand, replyTo: ReplyHandle): boolean {
    const move = this.#moves.find(command);
    move?.waiting.push(replyTo);
    return move !== undefined;
  }

  /** A host's command; the answer comes later, if it is not a refusal. */
  begin(room: RoomState, command: RoomCommand, waiting: readonly ReplyHandle[], nowMs: number): Refusal | undefined {
    const members = this.#membersOf(room, command);
    if (!members.ok) return members.error;
    if (this.#isMoving(room, members.value)) {
      this.#moves.hold({ command, waiting: [...waiting], dueMs: nowMs + transferDeadlineMs });
      return undefined;
    }
    const transfer = planTransfer(room, members.value, moveOf(command)?.toRoomId ?? "");
    this.#moves.ask({ transfer, members: members.value, command, waiting: [...waiting] });
    this.#ports.out.push({ type: "transfer-request", transfer, deadlineMs: transferDeadlineMs });
    return undefined;
  }

  /** Another room sends people here. */
  transfer(transfer: RoomTransfer, replyTo: ReplyHandle, nowMs: number): void {
    const { appId, toRoomId, transferId } = transfer;
    let reply = this.#replies.get(appId, "", transferId);
    if (reply === undefined) {
      const kind = transfer.participants[0]?.kind ?? 0;
      const room = this.#ports.find(appId, toRoomId) ?? this.#ports.make(appId, toRoomId, kind, nowMs);
      // No answer is an answer: the other side gives up after a while.
      if ("name" in room) return;
      reply = receiveTransfer(room, transfer, this.#moves.leaving(appId, toRoomId), nowMs);
      this.#ports.done(room);
      this.#replies.put(appId, "", transferId, reply, nowMs);
    }
    this.#ports.out.push({ type: "transfer-reply", replyTo, reply });
  }

  /** The other room has answered, or (undefined) has not in time. */
  answered(transferId: string, reply: RoomTransferReply | undefined, nowMs: number): void {
    const move = this.#moves.take(transferId);
    if (move === undefined) return;
    const { appId, fromRoomId, toRoomId } = move.transfer;
    const room = this.#ports.find(appId, fromRoomId);
    let kept: readonly string[] = [];
    let refusal: Refusal | undefined = { name: "timeout" };
    if (reply !== undefined && room !== undefined) {
      ({ kept, refusal } = finishMove(room, move, reply, nowMs));
      this.#ports.done(room);
    }
    const settled = create(RoomTransferSettledSchema, { appId, toRoomId, transferId, keptConnectionIds: [...kept] });
    this.#ports.out.push({ type: "transfer-settled", settled });
    const done = create(RoomResponseSchema, { result: { case: "done", value: {} } });
    this.#ports.answer(move.command, move.waiting, refusal === undefined ? ok(done) : err(refusal), nowMs);
    this.release(nowMs);
  }

  /** The room that people came from says whom it has let go. */
  settled(settled: RoomTransferSettled, nowMs: number): void {
    const { appId, toRoomId, transferId } = settled;
    // A transfer that comes after its own end, for nobody waits for it any more.
    if (this.#replies.get(appId, "", transferId) === undefined) {
      this.#replies.put(appId, "", transferId, tooLate(), nowMs);
    }
    const room = this.#ports.find(appId, toRoomId);
    if (room === undefined) return;
    settleTransfer(room, settled, nowMs);
    this.#ports.done(room);
    this.release(nowMs);
  }

  /** Carries out what has waited for the end of another move. */
  release(nowMs: number): void {
    for (const { command, waiting, dueMs } of this.#moves.release((move) => this.#isOver(move, nowMs))) {
      const room = this.#ports.find(command.appId, command.roomId);
      let refusal: Refusal | undefined;
      if (room === undefined) refusal = { name: "not-in-room" };
      else if (nowMs >= dueMs) refusal = { name: "timeout" };
      else refusal = this.begin(room, command, waiting, nowMs);
      if (refusal !== undefined) this.#ports.answer(command, waiting, err(refusal), nowMs);
    }
  }

  sweep(nowMs: number): void {
    this.#replies.sweep(nowMs);
  }

  #isOver({ command, dueMs }: HeldMove, nowMs: number): boolean {
    if (nowMs >= dueMs) return true;
    const room = this.#ports.find(command.appId, command.roomId);
    if (room === undefined) return true;
    const members = this.#membersOf(room, command);
    return !members.ok || !this.#isMoving(room, members.value);
  }

  #membersOf(room: RoomState, command: RoomCommand): Result<readonly Member[], Refusal> {
    const host = room.byConnection.get(command.connectionId);
    const request = moveOf(command);
    if (host === undefined || request === undefined) return err({ name: "not-in-room" });
    return membersToMove(room, host, request);
  }

  #isMoving(room: RoomState, members: readonly Member[]): boolean {
    const leaving = this.#moves.leaving(room.appId, room.roomId);
    return members.some(({ connectionId, arrivedBy }) => leaving.has(connectionId) || arrivedBy !== undefined);
  }
}

function moveOf(command: RoomCommand) {
  const method = command.request?.method;
  if (method?.case !== "moderate" || method.value.command.case !== "move") return undefined;
  return method.value.command.value;
}

/** Whether the mover has to do with a command. */
export function isMove(command: RoomCommand): boolean {
  return moveOf(command) !== undefined;
}

function tooLate(): RoomTransferReply {
  const result = create(TransferResultSchema, { result: { case: "error", value: wireError({ name: "timeout" }) } });
  return create(RoomTransferReplySchema, { results: [result] });
}
