import { err, ok, type Result } from "@parley/foundation";
import { Role, TrackKind, type Admit, type Moderate, type MuteTrack, type SetPermissions } from "@parley/protocol";
import { broadcastChange, isListed, tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { letIn, lobbyOf, removeMember, tellLobby } from "./membership.ts";
import { wireError } from "./outbox.ts";
import { effectivePermissions, mayPublish } from "./permissions.ts";
import { muteTrack, tellUpdated } from "./self-updates.ts";
import { rememberMember, rememberRoom, rememberSession } from "./remember.ts";
import { resolve } from "./slots.ts";
import { participantOf } from "./snapshot.ts";
import type { Member, RoomState } from "./state.ts";
import { unpublishTracks } from "./streams.ts";

/** A host's command. Moves between rooms need another room's owner, see moves.ts. */
export function moderate(room: RoomState, host: Member, request: Moderate, nowMs: number): Result<undefined, Refusal> {
  if (!host.permissions.moderate) return err({ name: "permission-denied", detail: "Missing: moderate." });
  const { command } = request;
  switch (command.case) {
    case "muteTrack":
      return muteOthers(room, host, command.value);
    case "askToUnmute": {
      const member = room.members.get(command.value.participantId);
      if (member === undefined) return err({ name: "participant-not-found" });
      const byParticipantId = host.participantId;
      tell(room, [member], { case: "unmuteAsked", value: { source: command.value.source, byParticipantId } });
      return ok(undefined);
    }
    case "remove": {
      const member = room.members.get(command.value.participantId);
      if (member === undefined) return err({ name: "participant-not-found" });
      if (command.value.ban) {
        room.bannedUsers.add(member.userId);
        rememberRoom(room);
      }
      const { reason, ban } = command.value;
      removeMember(room, member, nowMs, "removed", {
        name: ban ? "banned" : "removed",
        ...(reason === "" ? {} : { detail: reason }),
      });
      return ok(undefined);
    }
    case "closeRoom":
      closeRoom(room, command.value.reason, nowMs);
      return ok(undefined);
    case "admit":
      admit(room, command.value, nowMs);
      return ok(undefined);
    case "setPermissions":
      return setPermissions(room, command.value);
    default:
      return err({ name: "bad-request", detail: "No such command." });
  }
}

function muteOthers(room: RoomState, host: Member, request: MuteTrack): Result<undefined, Refusal> {
  if (!request.allAudio) {
    const stream = room.streams.get(request.streamId);
    const track = stream?.tracks.get(request.mid);
    if (stream === undefined || track === undefined) return err({ name: "stream-not-found" });
    muteByHost(room, host, request.streamId, request.mid);
    return ok(undefined);
  }
  for (const stream of room.streams.values()) {
    if (stream.owner === host) continue;
    for (const track of stream.tracks.values()) {
      if (track.kind === TrackKind.AUDIO) muteByHost(room, host, stream.streamId, track.mid);
    }
  }
  return ok(undefined);
}

function muteByHost(room: RoomState, host: Member, streamId: number, mid: string): void {
  const stream = room.streams.get(streamId);
  const track = stream?.tracks.get(mid);
  if (stream === undefined || track === undefined || !muteTrack(room, stream, track, true)) return;
  const byParticipantId = host.participantId;
  tell(room, [stream.owner], { case: "mutedByHost", value: { streamId, mid, byParticipantId } });
}

/** Everybody goes; the room ends with its last member. */
export function closeRoom(room: RoomState, reason: string, nowMs: number): void {
  broadcastChange(room, { case: "roomClosed", value: { reason } });
  for (const member of [...room.members.values()])
    removeMember(room, member, nowMs, "room-closed", { name: "room-closed" });
}

function admit(room: RoomState, { participantIds, deny }: Admit, nowMs: number): void {
  for (const participantId of participantIds) {
    const member = room.members.get(participantId);
    // Two hosts may press at once: who is in is in.
    if (member === undefined || !member.waiting) continue;
    if (deny) {
      const error = wireError({ name: "not-admitted" });
      tell(room, [member], { case: "admitted", value: { admitted: false, error } });
      removeMember(room, member, nowMs, "removed", { name: "not-admitted" });
      continue;
    }
    letIn(room, member);
  }
  tellLobby(room);
}

function setPermissions(room: RoomState, request: SetPermissions): Result<undefined, Refusal> {
  const member = room.members.get(request.participantId);
  if (member === undefined) return err({ name: "participant-not-found" });
  const wasListed = isListed(room, member);
  const moderated = member.permissions.moderate;
  if (request.role !== Role.UNSPECIFIED) member.role = request.role;
  member.permissions = effectivePermissions(request.permissions ?? member.permissions, member.role, room.kind);
  rememberMember(room, member);
  tellListing(room, member, wasListed);
  enforcePermissions(room, member);
  if (member.permissions.moderate && !moderated) tell(room, [member], { case: "lobbyChanged", value: lobbyOf(room) });
  return ok(undefined);
}

/** A change of role may show or hide a member. */
function tellListing(room: RoomState, member: Member, wasListed: boolean): void {
  const listed = isListed(room, member);
  if (listed === wasListed) tellUpdated(room, member);
  else if (listed) broadcastChange(room, { case: "participantJoined", value: { participant: participantOf(member) } });
  else {
    broadcastChange(
      room,
      { case: "participantLeft", value: { participantId: member.participantId, reason: 0 } },
      undefined,
    );
    tellUpdated(room, member);
  }
}

/** What a member may no longer do stops: its tracks are taken off, its slots show nothing. */
export function enforcePermissions(room: RoomState, member: Member): void {
  for (const stream of [...room.streams.values()]) {
    if (stream.owner !== member) continue;
    const refused = [...stream.tracks.values()]
      .filter((track) => !mayPublish(member, track.source))
      .map(({ mid }) => mid);
    if (refused.length === 0) continue;
    if (stream.session !== undefined) rememberSession(room, stream.session);
    unpublishTracks(room, stream, refused);
  }
  for (const session of member.sessions.values()) for (const slot of session.slots.values()) resolve(room, slot);
}
