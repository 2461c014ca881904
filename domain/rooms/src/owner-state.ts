import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { SessionOwnerStateSchema, type SlotBindingSchema } from "@parley/protocol";
import { participantOf, roomInfo, streamOf } from "./snapshot.ts";
import type { RoomState, SessionState, SlotState, StreamState } from "./state.ts";

/** What another process needs to know of a session that it finds at a media node. It travels with every grant. */
export function writeOwnerState(room: RoomState, session: SessionState): Uint8Array {
  const { member } = session;
  const streams: StreamState[] = [];
  for (const stream of room.streams.values()) if (stream.session === session) streams.push(stream);
  return toBinary(
    SessionOwnerStateSchema,
    create(SessionOwnerStateSchema, {
      // Who takes over counts for itself.
      room: roomInfo(room, 0),
      roomRevision: room.revision,
      bannedUserIds: [...room.bannedUsers],
      participant: participantOf(member),
      connectionId: member.connectionId,
      grants: member.grants,
      localIp: member.localIp,
      leaveWithSession: member.leaveWithSession,
      tokenExpiresAtUnixMs: BigInt(Math.floor(member.expiresAtUnixMs)),
      session: session.name,
      streams: streams.map((stream) => ({
        stream: streamOf(stream),
        exclusiveName: stream.exclusive,
        order: BigInt(stream.order),
      })),
      slots: [...session.slots.values()].map((slot) => ({ pair: slot.pair, binding: bindingOf(slot) })),
      speakerMids: [...session.speakerMids],
      negotiation: session.memory,
      nodeId: session.nodeId,
    }),
  );
}

function bindingOf({ mid, desired }: SlotState): MessageInitShape<typeof SlotBindingSchema> {
  switch (desired.type) {
    case "nothing":
      return { mid };
    case "name":
      return { mid, streamName: desired.name };
    case "stream":
      return { mid, streamId: desired.stream.streamId, trackMid: desired.trackMid };
  }
}
