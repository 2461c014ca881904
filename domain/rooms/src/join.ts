import { create } from "@bufbuild/protobuf";
import { err, isValidName, ok, randomId, type Result } from "@parley/foundation";
import {
  JoinedSchema,
  RoomKind,
  type Grants,
  type Join,
  type Joined,
  type OpenSession,
  type Role,
  type SessionAnswer,
} from "@parley/protocol";
import { attributesFit } from "./attributes.ts";
import type { Refusal } from "./io.ts";
import { dismissWaiting, enter, maxParticipants, removeMember, takePlaceOf, waitInLobby } from "./membership.ts";
import { effectivePermissions, roleOf } from "./permissions.ts";
import { openSession } from "./sessions.ts";
import { snapshotFor } from "./snapshot.ts";
import type { Member, RoomState } from "./state.ts";

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

  const member = newMember(room, visitor, request, nowMs, replaced);
  if (member.waiting) {
    if (replaced !== undefined) dismissWaiting(room, replaced);
    waitInLobby(room, member);
    return ok(create(JoinedSchema, { participantId: member.participantId, waiting: true }));
  }
  const opened = openFirst(room, member, request, replaced, nowMs);
  if (!opened.ok) return opened;
  return ok(
    create(JoinedSchema, {
      participantId: member.participantId,
      // WHIP and WHEP have no use for it.
      ...(member.leaveWithSession ? {} : { snapshot: snapshotFor(room, member) }),
      sessions: opened.value,
    }),
  );
}

function refusalOf(
  room: RoomState,
  visitor: Visitor,
  request: Join,
  replaced: Member | undefined,
): Refusal | undefined {
  const { grants } = visitor;
  const { limits } = room.ports;
  if (grants.roomId !== "" && grants.roomId !== room.roomId) return { name: "wrong-room" };
  if (room.bannedUsers.has(visitor.userId)) return { name: "banned" };
  const moderates = grants.permissions?.moderate === true;
  if (room.locked && !moderates && replaced === undefined) return { name: "room-locked" };
  if (request.name !== "" && !isValidName(request.name)) return { name: "bad-id", detail: "The participant's name." };
  if (!attributesFit(new Map(Object.entries(request.attributes)), limits)) return { name: "attributes-too-large" };
  if (replaced === undefined && isFull(room, request)) return { name: "room-full" };
  return undefined;
}

/** Who only watches over WHEP costs the others as little as a viewer of a live class. */
function isFull(room: RoomState, request: Join): boolean {
  const watches = request.leaveWithSession && onlyWatches(request.sessions);
  if (watches && room.kind !== RoomKind.ONE_TO_ONE) {
    return room.members.size >= room.ports.limits.maxLiveClassParticipants;
  }
  let listed = 0;
  for (const member of room.members.values()) if (!member.watchesOnly) listed += 1;
  return listed >= maxParticipants(room);
}

/** The participant this client was before: only its own user may take its place. */
function replacedBy(room: RoomState, visitor: Visitor, participantId: string): Member | undefined {
  const member = room.members.get(participantId);
  return member?.userId === visitor.userId ? member : undefined;
}

/** What a newcomer says of itself, beside its token. */
export interface Introduction {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly role?: Role;
  readonly leaveWithSession?: boolean;
  readonly sessions?: readonly OpenSession[];
}

function onlyWatches(sessions: readonly OpenSession[]): boolean {
  return sessions.every(({ sections }) => sections.every(({ use }) => use.case !== "publish"));
}

/** A member that is not in the room yet. `replaced`: whose place it takes. */
export function newMember(
  room: RoomState,
  visitor: Visitor,
  introduction: Introduction,
  nowMs: number,
  replaced?: Member,
): Member {
  const { grants } = visitor;
  const role = introduction.role ?? replaced?.role ?? roleOf(grants);
  const attributes = new Map([...Object.entries(grants.attributes), ...Object.entries(introduction.attributes)]);
  const permissions = effectivePermissions(grants.permissions, role, room.kind);
  return {
    participantId: replaced?.participantId ?? randomId(room.ports.random),
    connectionId: visitor.connectionId,
    userId: visitor.userId,
    name: introduction.name === "" ? grants.name : introduction.name,
    role,
    permissions,
    attributes,
    joinedAtUnixMs: replaced?.joinedAtUnixMs ?? nowMs,
    handRaised: replaced?.handRaised ?? false,
    waiting: replaced?.waiting ?? (room.lobbyEnabled && !permissions.moderate),
    leaveWithSession: introduction.leaveWithSession ?? false,
    watchesOnly: introduction.leaveWithSession === true && onlyWatches(introduction.sessions ?? []),
    grants,
    localIp: visitor.localIp,
    expiresAtUnixMs: Number(grants.expiresAtUnixMs),
    sessions: new Map(),
    seenAtMs: nowMs,
    announcement: undefined,
    arrivedBy: undefined,
    dataCredit: room.ports.limits.dataMessageBurst,
    dataCreditAtMs: nowMs,
    quality: 0,
    knowsQualities: false,
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
