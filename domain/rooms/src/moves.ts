import { create } from "@bufbuild/protobuf";
import { err, isValidName, ok, randomId, type Result } from "@parley/foundation";
import {
  errorName,
  GrantsSchema,
  JoinedSchema,
  RoomTransferReplySchema,
  RoomTransferSchema,
  TransferResultSchema,
  type MoveParticipants,
  type RoomTransfer,
  type RoomTransferReply,
  type RoomTransferSettled,
  type TransferredParticipant,
  type TransferResult,
} from "@parley/protocol";
import { tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { newMember } from "./join.ts";
import { enter, letIn, maxParticipants, removeMember, tellLobby } from "./membership.ts";
import { wireError } from "./outbox.ts";
import { effectivePermissions } from "./permissions.ts";
import { snapshotFor } from "./snapshot.ts";
import type { PendingMove } from "./pending-moves.ts";
import type { Member, RoomState } from "./state.ts";

/** As many as fit a bus message with their attributes. */
const maxMovedAtOnce = 100;

/** Whom a host's command means. */
export function membersToMove(
  room: RoomState,
  host: Member,
  { participantIds, toRoomId }: MoveParticipants,
): Result<Member[], Refusal> {
  if (!host.permissions.moderate) return err({ name: "permission-denied", detail: "Missing: moderate." });
  if (!isValidName(toRoomId) || toRoomId === room.roomId)
    return err({ name: "bad-id", detail: "The other room's name." });
  if (!mayMoveTo(host, toRoomId)) {
    return err({
      name: "wrong-room",
      detail: `Breakout rooms of ${host.grants.roomId} begin with its name and a slash.`,
    });
  }
  if (participantIds.length === 0 || participantIds.length > maxMovedAtOnce) return err({ name: "bad-request" });
  const members: Member[] = [];
  for (const participantId of new Set(participantIds)) {
    const member = room.members.get(participantId);
    if (member === undefined || member.waiting) return err({ name: "participant-not-found" });
    members.push(member);
  }
  return ok(members);
}

/** What the owner of the other room is asked for. The members stay where they are until it has answered. */
export function planTransfer(room: RoomState, members: readonly Member[], toRoomId: string): RoomTransfer {
  return create(RoomTransferSchema, {
    appId: room.appId,
    fromRoomId: room.roomId,
    toRoomId,
    transferId: randomId(room.ports.random),
    participants: members.map((member) => ({
      connectionId: member.connectionId,
      userId: member.userId,
      grants: member.grants,
      localIp: member.localIp,
      name: member.name,
      attributes: Object.fromEntries(member.attributes),
      role: member.role,
      permissions: member.permissions,
      kind: room.kind,
    })),
  });
}

/**
 * Those who are moved keep their rights, and no lobby or lock stands in their way. So a host whose token is for one room must not reach into others,
 * nor make them under a name that somebody else will use: the room itself, and names below it, are its own.
 */
function mayMoveTo({ grants }: Member, toRoomId: string): boolean {
  return grants.roomId === "" || toRoomId === grants.roomId || toRoomId.startsWith(`${grants.roomId}/`);
}

/** What the other room's answer has come to. */
export interface Departures {
  /** Connections that have left for the other room. */
  readonly kept: readonly string[];
  /** Why somebody stays. */
  readonly refusal: Refusal | undefined;
}

/** The other room has answered: who was taken leaves here and is told where it is now. */
export function finishMove(
  room: RoomState,
  { transfer, members }: Pick<PendingMove, "transfer" | "members">,
  reply: RoomTransferReply,
  nowMs: number,
): Departures {
  const kept: string[] = [];
  let refusal: Refusal | undefined;
  for (const [index, member] of members.entries()) {
    const { connectionId, participantId } = member;
    const result = reply.results[index]?.result;
    if (result?.case !== "joined" && result?.case !== "alreadyThere") {
      refusal ??= { name: reasonOf(result), detail: "Not everybody could be moved." };
      continue;
    }
    // Left meanwhile, and perhaps joined again since: the other room is told.
    if (room.members.get(participantId) !== member) continue;
    if (result.case === "joined") {
      kept.push(connectionId);
      tell(room, [member], { case: "moved", value: { toRoomId: transfer.toRoomId, joined: result.value } });
      removeMember(room, member, nowMs, "moved");
    } else {
      removeMember(room, member, nowMs, "moved", { name: "already-there", detail: `It is ${transfer.toRoomId}.` });
    }
  }
  return { kept, refusal };
}

function reasonOf(result: TransferResult["result"] | undefined): Refusal["name"] {
  return (result?.case === "error" ? errorName(result.value.number) : undefined) ?? "room-full";
}

/** Takes members of another room in. A host sent them, so neither lobby nor lock stands in their way. `leaving`: who is just being moved from here. */
export function receiveTransfer(
  room: RoomState,
  transfer: RoomTransfer,
  leaving: ReadonlySet<string>,
  nowMs: number,
): RoomTransferReply {
  const { transferId } = transfer;
  return create(RoomTransferReplySchema, {
    results: transfer.participants.map((participant) => {
      const refusal = refusalOf(room, participant, leaving);
      if (refusal === undefined) return receive(room, participant, transferId, nowMs);
      return create(TransferResultSchema, { result: { case: "error", value: wireError(refusal) } });
    }),
  });
}

function receive(
  room: RoomState,
  participant: TransferredParticipant,
  transferId: string,
  nowMs: number,
): TransferResult {
  const { connectionId, userId, localIp, name, attributes, role, permissions } = participant;
  const before = room.byConnection.get(connectionId);
  if (before !== undefined) {
    if (before.waiting) {
      letIn(room, before);
      tellLobby(room);
    }
    return create(TransferResultSchema, { result: { case: "alreadyThere", value: {} } });
  }
  const grants = participant.grants ?? create(GrantsSchema);
  const member = newMember(room, { connectionId, userId, grants, localIp }, { name, attributes, role }, nowMs);
  member.permissions = effectivePermissions(permissions, role, room.kind);
  member.arrivedBy = transferId;
  member.waiting = false;
  enter(room, member);
  const joined = create(JoinedSchema, { participantId: member.participantId, snapshot: snapshotFor(room, member) });
  return create(TransferResultSchema, { result: { case: "joined", value: joined } });
}

function refusalOf(
  room: RoomState,
  { userId, connectionId, grants }: TransferredParticipant,
  leaving: ReadonlySet<string>,
): Refusal | undefined {
  if (grants === undefined) return { name: "bad-request" };
  if (room.bannedUsers.has(userId)) return { name: "banned" };
  // Another transfer has brought it just now, and may yet come to nothing.
  if (room.byConnection.get(connectionId)?.arrivedBy !== undefined) return { name: "unavailable" };
  // Each of two rooms sends it to the other one: it is to lose no more than one of its places.
  if (leaving.has(connectionId)) return { name: "already-in-room" };
  if (!room.byConnection.has(connectionId) && room.members.size >= maxParticipants(room)) return { name: "room-full" };
  return undefined;
}

/** The other room has let those go whom it names; whoever else the transfer brought was never really here. */
export function settleTransfer(
  room: RoomState,
  { transferId, keptConnectionIds }: RoomTransferSettled,
  nowMs: number,
): void {
  const kept = new Set(keptConnectionIds);
  for (const member of [...room.members.values()]) {
    if (member.arrivedBy !== transferId) continue;
    if (kept.has(member.connectionId)) member.arrivedBy = undefined;
    else removeMember(room, member, nowMs, "left");
  }
}
