import { create } from "@bufbuild/protobuf";
import { err, isValidName, ok, randomId, type Result } from "@parley/foundation";
import {
  JoinedSchema,
  RoomTransferReplySchema,
  RoomTransferSchema,
  TransferResultSchema,
  type MoveParticipants,
  type RoomTransfer,
  type RoomTransferReply,
  type TransferredParticipant,
  type TransferResult,
} from "@parley/protocol";
import { tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import type { PendingMove } from "./pending-moves.ts";
import { newMember } from "./join.ts";
import { enter, letIn, maxParticipants, removeMember, tellLobby } from "./membership.ts";
import { wireError } from "./outbox.ts";
import { effectivePermissions } from "./permissions.ts";
import { rememberMember } from "./remember.ts";
import { snapshotFor } from "./snapshot.ts";
import type { Member, RoomState } from "./state.ts";

/** As many as fit a bus message with their attributes. */
const maxMovedAtOnce = 100;

/** What the owner of the other room is asked for. The members stay where they are until it has answered. */
export function planMove(room: RoomState, host: Member, request: MoveParticipants): Result<RoomTransfer, Refusal> {
  if (!host.permissions.moderate) return err({ name: "permission-denied", detail: "Missing: moderate." });
  const { participantIds, toRoomId } = request;
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
  return ok(
    create(RoomTransferSchema, {
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
    }),
  );
}

/**
 * Those who are moved keep their rights, and no lobby or lock stands in their way. So a host whose token is for one room must not reach into others,
 * nor make them under a name that somebody else will use: the room itself, and names below it, are its own.
 */
function mayMoveTo({ grants }: Member, toRoomId: string): boolean {
  return grants.roomId === "" || toRoomId === grants.roomId || toRoomId.startsWith(`${grants.roomId}/`);
}

/** The other room has answered: who was taken leaves here and is told where it is now. */
export function finishMove(
  room: RoomState,
  { transfer, returned }: Pick<PendingMove, "transfer" | "returned">,
  reply: RoomTransferReply,
  nowMs: number,
): Refusal | undefined {
  let refusal: Refusal | undefined;
  for (const [index, { connectionId }] of transfer.participants.entries()) {
    const result = reply.results[index]?.result;
    if (result?.case !== "joined") {
      refusal ??= { name: "room-full", detail: "Not everybody could be moved." };
      continue;
    }
    const member = room.byConnection.get(connectionId);
    // Left meanwhile: the other room will hear of it as we did. Or it has been sent back already, and is not there any more.
    if (member === undefined || returned.has(connectionId)) continue;
    tell(room, [member], { case: "moved", value: { toRoomId: transfer.toRoomId, joined: result.value } });
    removeMember(room, member, nowMs, "moved");
  }
  return refusal;
}

/** Takes members of another room in. A host sent them, so neither lobby nor lock stands in their way. */
export function receiveTransfer(room: RoomState, transfer: RoomTransfer, nowMs: number): RoomTransferReply {
  return create(RoomTransferReplySchema, {
    results: transfer.participants.map((participant) => receive(room, participant, nowMs)),
  });
}

function receive(room: RoomState, participant: TransferredParticipant, nowMs: number): TransferResult {
  const { connectionId, userId, grants, localIp, name, attributes, role, permissions } = participant;
  const refusal = refusalOf(room, participant);
  if (refusal !== undefined || grants === undefined) {
    const error = wireError(refusal ?? { name: "bad-request" });
    return create(TransferResultSchema, { result: { case: "error", value: error } });
  }
  const before = room.byConnection.get(connectionId);
  const member =
    before ?? newMember(room, { connectionId, userId, grants, localIp }, { name, attributes, role }, nowMs);
  member.permissions = effectivePermissions(permissions, role, room.kind);
  rememberMember(room, member);
  if (before?.waiting === true) {
    letIn(room, before);
    tellLobby(room);
  } else if (before === undefined) {
    member.waiting = false;
    enter(room, member);
  }
  const joined = create(JoinedSchema, { participantId: member.participantId, snapshot: snapshotFor(room, member) });
  return create(TransferResultSchema, { result: { case: "joined", value: joined } });
}

function refusalOf(room: RoomState, { userId, connectionId }: TransferredParticipant): Refusal | undefined {
  if (room.bannedUsers.has(userId)) return { name: "banned" };
  if (!room.byConnection.has(connectionId) && room.members.size >= maxParticipants(room)) return { name: "room-full" };
  return undefined;
}
