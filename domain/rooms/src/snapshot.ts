import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Codec,
  ParticipantSchema,
  RoomInfoSchema,
  SnapshotSchema,
  StreamSchema,
  type TrackSchema,
  type Participant,
  type RoomInfo,
  type Snapshot,
  type Stream,
} from "@parley/protocol";
import { isListed, participantCount } from "./audience.ts";
import type { Member, RoomState, StreamState, TrackState } from "./state.ts";

/** The room as `viewer` may see it: everybody listed, and the viewer itself. */
export function snapshotFor(room: RoomState, viewer: Member): Snapshot {
  const members = [...room.members.values()];
  return create(SnapshotSchema, {
    room: roomInfo(room),
    revision: room.revision,
    participants: members.filter((member) => member === viewer || isListed(room, member)).map(participantOf),
    streams: [...room.streams.values()].map(streamOf),
    lobby: viewer.permissions.moderate ? members.filter((member) => member.waiting).map(participantOf) : [],
    lobbyRevision: viewer.permissions.moderate ? room.lobbyRevision : 0n,
    speakers: room.speakersTold,
  });
}

/** `count`: counting goes over all members, and not everybody needs it. */
export function roomInfo(room: RoomState, count = participantCount(room)): RoomInfo {
  return create(RoomInfoSchema, {
    roomId: room.roomId,
    kind: room.kind,
    attributes: Object.fromEntries(room.attributes),
    lobbyEnabled: room.lobbyEnabled,
    locked: room.locked,
    participantCount: count,
    createdAtUnixMs: BigInt(Math.floor(room.createdAtUnixMs)),
  });
}

export function participantOf(member: Member): Participant {
  return create(ParticipantSchema, {
    participantId: member.participantId,
    userId: member.userId,
    name: member.name,
    role: member.role,
    permissions: member.permissions,
    attributes: Object.fromEntries(member.attributes),
    joinedAtUnixMs: BigInt(Math.floor(member.joinedAtUnixMs)),
    handRaised: member.handRaised,
  });
}

export function streamOf(stream: StreamState): Stream {
  return create(StreamSchema, {
    streamId: stream.streamId,
    participantId: stream.owner.participantId,
    name: stream.name,
    attributes: Object.fromEntries(stream.attributes),
    tracks: [...stream.tracks.values()].sort((a, b) => a.order - b.order).map(trackOf),
  });
}

function trackOf(track: TrackState): MessageInitShape<typeof TrackSchema> {
  const { mid, kind, source, muted, live, width, height, backupOf } = track;
  return { mid, kind, source, muted, live, width, height, backupOf, codec: codecName(track.codec) };
}

/** As in SDP; empty when it is not known, or newer than we are. */
export function codecName(codec: Codec): string {
  return codecNames[codec] ?? "";
}

const codecNames: Readonly<Partial<Record<Codec, string>>> = {
  [Codec.OPUS]: "opus",
  [Codec.VP8]: "VP8",
  [Codec.VP9]: "VP9",
  [Codec.H264]: "H264",
  [Codec.H265]: "H265",
  [Codec.AV1]: "AV1",
  [Codec.RED]: "red",
};
