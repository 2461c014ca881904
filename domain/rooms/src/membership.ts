import { create } from "@bufbuild/protobuf";
import { JoinedSchema, LeaveReason, LobbyChangedSchema, RoomKind, type LobbyChanged } from "@parley/protocol";
import { broadcastChange, isListed, moderators, tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { wireError } from "./outbox.ts";
import { endSession } from "./session-end.ts";
import { participantOf, snapshotFor } from "./snapshot.ts";
import { unsettle } from "./presence.ts";
import type { Member, RoomState } from "./state.ts";
import { endStream } from "./streams.ts";

function admitToState(room: RoomState, member: Member): void {
  room.members.set(member.participantId, member);
  room.byConnection.set(member.connectionId, member);
  room.nextLapseAtMs = 0;
}

function forgetConnection(room: RoomState, member: Member): void {
  room.byConnection.delete(member.connectionId);
  unsettle(member);
}

/** The newcomer waits until a host lets it in. */
export function waitInLobby(room: RoomState, member: Member): void {
  admitToState(room, member);
  tellLobby(room);
}

/** The same client waits over another connection now: this one is nobody here any more. */
export function dismissWaiting(room: RoomState, member: Member): void {
  room.members.delete(member.participantId);
  forgetConnection(room, member);
  tellRemoved(room, member, { name: "replaced" });
}

/** Puts a member among those present and tells the others. */
export function enter(room: RoomState, member: Member): void {
  admitToState(room, member);
  if (isListed(room, member)) {
    broadcastChange(room, { case: "participantJoined", value: { participant: participantOf(member) } }, member);
  }
}

/** Out of the lobby, by a host's word. The lobby's list is told by the caller. */
export function letIn(room: RoomState, member: Member): void {
  member.waiting = false;
  enter(room, member);
  const { participantId } = member;
  const joined = create(JoinedSchema, { participantId, snapshot: snapshotFor(room, member) });
  tell(room, [member], { case: "admitted", value: { admitted: true, joined } });
}

/** The same client over another connection: its streams wait for its new sessions, nobody sees it leave. */
export function takePlaceOf(room: RoomState, before: Member, member: Member, nowMs: number): void {
  for (const session of [...before.sessions.values()]) endSession(room, session, nowMs, "replaced");
  tellRemoved(room, before, { name: "replaced" });
  forgetConnection(room, before);
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
  forgetConnection(room, member);
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

/** Somebody has come to the lobby or gone from it. */
export function tellLobby(room: RoomState): void {
  room.lobbyRevision += 1n;
  tell(room, moderators(room), { case: "lobbyChanged", value: lobbyOf(room) });
}

export function lobbyOf(room: RoomState): LobbyChanged {
  const waiting = [...room.members.values()].filter((member) => member.waiting).map(participantOf);
  return create(LobbyChangedSchema, { waiting, revision: room.lobbyRevision });
}

/** How many may be in the room, its lobby included. */
export function maxParticipants(room: RoomState): number {
  const { limits } = room.ports;
  if (room.kind === RoomKind.ONE_TO_ONE) return 2;
  return room.kind === RoomKind.LIVE_CLASS ? limits.maxLiveClassParticipants : limits.maxParticipants;
}
