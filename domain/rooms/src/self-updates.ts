import { err, isValidName, ok, type Result } from "@parley/foundation";
import type { SetTrackMuted, UpdateRoom, UpdateSelf } from "@parley/protocol";
import { attributesFit, replaceMap, updatedAttributes } from "./attributes.ts";
import { broadcastChange, isListed, tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { rememberMember, rememberRoom, rememberSession } from "./remember.ts";
import { participantOf, roomInfo } from "./snapshot.ts";
import type { Member, RoomState, StreamState, TrackState } from "./state.ts";
import { announceStream } from "./streams.ts";

export function setTrackMuted(room: RoomState, member: Member, request: SetTrackMuted): Result<undefined, Refusal> {
  const stream = room.streams.get(request.streamId);
  const track = stream?.tracks.get(request.mid);
  if (stream === undefined || track === undefined) return err({ name: "stream-not-found" });
  if (stream.owner !== member) return err({ name: "permission-denied", detail: "Only a host mutes others." });
  muteTrack(room, stream, track, request.muted);
  return ok(undefined);
}

/** Muted tracks are received and forwarded to nobody. */
export function muteTrack(room: RoomState, stream: StreamState, track: TrackState, muted: boolean): boolean {
  if (track.muted === muted) return false;
  track.muted = muted;
  if (stream.session !== undefined) rememberSession(room, stream.session);
  announceStream(room, stream);
  return true;
}

export function updateSelf(room: RoomState, member: Member, request: UpdateSelf): Result<undefined, Refusal> {
  const attributes = updatedAttributes(member.attributes, request.attributes);
  if (!attributesFit(attributes, room.ports.limits)) return err({ name: "attributes-too-large" });
  if (request.name !== undefined && !isValidName(request.name)) return err({ name: "bad-id", detail: "The name." });
  replaceMap(member.attributes, attributes);
  if (request.name !== undefined) member.name = request.name;
  if (request.handRaised !== undefined) member.handRaised = request.handRaised;
  tellUpdated(room, member);
  return ok(undefined);
}

/** Everybody who sees the member is told how it is now; an unlisted one is told itself. */
export function tellUpdated(room: RoomState, member: Member): void {
  rememberMember(room, member);
  const event = { case: "participantUpdated", value: { participant: participantOf(member) } } as const;
  if (isListed(room, member)) broadcastChange(room, event);
  else tell(room, [member], event);
}

export function updateRoom(room: RoomState, member: Member, request: UpdateRoom): Result<undefined, Refusal> {
  if (!member.permissions.moderate) return err({ name: "permission-denied", detail: "Missing: moderate." });
  const attributes = updatedAttributes(room.attributes, request.attributes);
  if (!attributesFit(attributes, room.ports.limits)) return err({ name: "attributes-too-large" });
  replaceMap(room.attributes, attributes);
  if (request.locked !== undefined) room.locked = request.locked;
  if (request.lobbyEnabled !== undefined) room.lobbyEnabled = request.lobbyEnabled;
  rememberRoom(room);
  broadcastChange(room, { case: "roomUpdated", value: { room: roomInfo(room) } });
  return ok(undefined);
}
