import { create } from "@bufbuild/protobuf";
import { err, isValidName, ok, randomId, type Result } from "@parley/foundation";
import { JoinedSchema, LeaveReason, RoomKind, type Grants, type Join, type Joined, type SessionAnswer } from "@parley/protocol";
import { broadcastChange, isListed, moderators, participantCount, tell } from "./audience.ts";
import { attributesFit } from "./attributes.ts";
import type { Refusal } from "./io.ts";
import { wireError } from "./outbox.ts";
import { effectivePermissions, roleOf } from "./permissions.ts";
import { endSession } from "./session-end.ts";
import { openSession } from "./sessions.ts";
import { participantOf, snapshotFor } from "./snapshot.ts";
import type { Member, RoomState } from "./state.ts";
import { endStream } from "./streams.ts";

/** Who knocks: a connection with what its token allows. */
export interface Visitor {
  readonly connectionId: string;
  readonly userId: string;
  readonly grants: Grants;
  readonly localIp: string;
}

/** Lets a connection in, with its first sessions; all or nothing. */
export function join(room: RoomState, visitor: Visitor, request: Join, nowMs: number): Result<Joined, Refusal> {
  if (room.byConnection.has(visitor.connectionId)) return err({ name: "already-in-room" });
  const replaced = replacedBy(room, visitor, request.replacesParticipantId);
  const refusal = refusalOf(room, visitor, request, replaced);
  if (refusal !== undefined) return err(refusal);

  const member = makeMember(room, visitor, request, replaced, nowMs);
  if (member.waiting) {
    admitToState(room, member);
    tellLobby(room);
    return ok(create(JoinedSchema, { participantId: member.participantId, waiting: true }));
  }
  const opened = openFirst(room, member, request, replaced, nowMs);
  if (!opened.ok) return opened;
  return ok(
    create(JoinedSchema, {
      participantId: member.participantId,
      snapshot: snapshotFor(room, member),
      sessions: opened.value,
    }),
  );
}

function refusalOf(room: RoomState, visitor: Visitor, request: Join, replaced: Member | undefined): Refusal | undefined {
  const { grants } = visitor;
  const { limits } = room.ports;
  if (grants.roomId !== "" && grants.roomId !== room.roomId) return { name: "wrong-room" };
  if (room.bannedUsers.has(visitor.userId)) return { name: "banned" };
  const moderates = grants.permissions?.moderate === true;
  if (room.locked && !moderates && replaced === undefined) return { name: "room-locked" };
  if (request.name !== "" && !isValidName(request.name)) return { name: "bad-id", detail: "The participant's name." };
  if (!attributesFit(new Map(Object.entries(request.attributes)), limits)) return { name: "attributes-too-large" };
  if (replaced === undefined && room.members.size >= maxParticipants(room)) return { name: "room-full" };
  return undefined;
}

function maxParticipants(room: RoomState): number {
  const { limits } = room.ports;
  if (room.kind === RoomKind.ONE_TO_ONE) return 2;
  return room.kind === RoomKind.LIVE_CLASS ? limits.maxLiveClassParticipants : limits.maxParticipants;
}

/** The participant this client was before: only its own user may take its place. */
function replacedBy(room: RoomState, visitor: Visitor, participantId: string): Member | undefined {
  const member = room.members.get(participantId);
  return member?.userId === visitor.userId ? member : undefined;
}

function makeMember(
  room: RoomState,
  visitor: Visitor,
  request: Join,
  replaced: Member | undefined,
  nowMs: number,
): Member {
  const { grants } = visitor;
  const role = replaced?.role ?? roleOf(grants);
  const attributes = new Map([...Object.entries(grants.attributes), ...Object.entries(request.attributes)]);
  const permissions = effectivePermissions(grants.permissions, role, room.kind);
  return {
    participantId: replaced?.participantId ?? randomId(room.ports.random),
    connectionId: visitor.connectionId,
    userId: visitor.userId,
    name: request.name === "" ? grants.name : request.name,
    role,
    permissions,
    attributes,
    joinedAtUnixMs: replaced?.joinedAtUnixMs ?? nowMs,
    handRaised: replaced?.handRaised ?? false,
    waiting: replaced?.waiting ?? (room.lobbyEnabled && !permissions.moderate),
    leaveWithSession: request.leaveWithSession,
    grants,
    localIp: visitor.localIp,
    expiresAtUnixMs: Number(grants.expiresAtUnixMs),
    sessions: new Map(),
    seenAtMs: nowMs,
    dataCredit: room.ports.limits.dataMessageBurst,
    dataCreditAtMs: nowMs,
  };
}

/** The newcomer enters and its sessions are opened; when one is refused it is out again. */
function openFirst(
  room: RoomState,
  member: Member,
  request: Join,
  replaced: Member | undefined,
  nowMs: number,
): Result<SessionAnswer[], Refusal> {
  if (replaced === undefined) enter(room, member);
  else takePlaceOf(room, replaced, member, nowMs);
  const answers: SessionAnswer[] = [];
  for (const session of request.sessions) {
    const answer = openSession(room, member, session, nowMs);
    if (!answer.ok) {
      removeMember(room, member, nowMs, "left");
      return answer;
    }
    answers.push(answer.value);
  }
  return ok(answers);
}

function admitToState(room: RoomState, member: Member): void {
  room.members.set(member.participantId, member);
  room.byConnection.set(member.connectionId, member);
}

/** Puts a member among those present and tells the others. */
export function enter(room: RoomState, member: Member): void {
  admitToState(room, member);
  if (isListed(room, member)) {
    broadcastChange(room, { case: "participantJoined", value: { participant: participantOf(member) } }, member);
  }
}

/** The same client over another connection: its streams wait for its new sessions, nobody sees it leave. */
function takePlaceOf(room: RoomState, before: Member, member: Member, nowMs: number): void {
  for (const session of [...before.sessions.values()]) endSession(room, session, nowMs, "replaced");
  tellRemoved(room, before, { name: "replaced" });
  room.byConnection.delete(before.connectionId);
  admitToState(room, member);
  for (const stream of room.streams.values()) if (stream.owner === before) stream.owner = member;
  if (isListed(room, member)) {
    broadcastChange(room, { case: "participantUpdated", value: { participant: participantOf(member) } }, member);
  }
}

export type Departure =
  | "left"
  | "lost"
  | "replaced"
  | "removed"
  | "moved"
  | "room-closed"
  | "session-ended"
  | "token-expired";

const reasons: Readonly<Record<Departure, LeaveReason>> = {
  left: LeaveReason.LEFT,
  lost: LeaveReason.CONNECTION_LOST,
  replaced: LeaveReason.REPLACED,
  removed: LeaveReason.REMOVED,
  moved: LeaveReason.MOVED,
  "room-closed": LeaveReason.ROOM_CLOSED,
  "session-ended": LeaveReason.SESSION_ENDED,
  "token-expired": LeaveReason.TOKEN_EXPIRED,
};

/** What the one who goes is told; those who went by themselves, or moved, hear of it otherwise. */
const farewells: Readonly<Partial<Record<Departure, Refusal>>> = {
  replaced: { name: "replaced" },
  removed: { name: "removed" },
  "session-ended": { name: "session-lost" },
  "token-expired": { name: "token-expired" },
};

/** Takes a member, its sessions and its streams out of the room. `farewell` overrides what the member is told. */
export function removeMember(
  room: RoomState,
  member: Member,
  nowMs: number,
  departure: Departure,
  farewell: Refusal | undefined = farewells[departure],
): void {
  if (room.members.get(member.participantId) !== member) return;
  for (const session of [...member.sessions.values()]) endSession(room, session, nowMs, "closed");
  for (const stream of [...room.streams.values()]) if (stream.owner === member) endStream(room, stream);
  const wasListed = isListed(room, member);
  room.members.delete(member.participantId);
  room.byConnection.delete(member.connectionId);
  if (farewell !== undefined) tellRemoved(room, member, farewell);
  if (member.waiting) tellLobby(room);
  else if (wasListed) {
    const { participantId } = member;
    broadcastChange(room, { case: "participantLeft", value: { participantId, reason: reasons[departure] } });
  }
}

function tellRemoved(room: RoomState, member: Member, refusal: Refusal): void {
  tell(room, [member], { case: "removed", value: { error: wireError(refusal) } });
}

export function tellLobby(room: RoomState): void {
  const waiting = [...room.members.values()].filter((member) => member.waiting).map(participantOf);
  tell(room, moderators(room), { case: "lobbyChanged", value: { waiting } });
}

/** Live classes tell their size now and then: their viewers come and go without events. */
export function countChanged(room: RoomState): boolean {
  return room.kind === RoomKind.LIVE_CLASS && participantCount(room) !== room.toldCount;
}
