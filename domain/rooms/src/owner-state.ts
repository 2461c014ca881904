import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { encodeMessage, FieldCursor, SessionOwnerStateSchema, type SessionOwnerState } from "@parley/protocol";
import { participantOf, roomInfo, streamOf } from "./snapshot.ts";
import type { RoomState, SessionState, SlotState, StreamState } from "./state.ts";

type OwnerStateInit = Exclude<MessageInitShape<typeof SessionOwnerStateSchema>, SessionOwnerState>;

/**
 * What another process needs to know of a session that it finds at a media node. It travels with every grant, of which most bind a slot: the rest is
 * copied from the revision before (a message of protobuf may be put together of its parts).
 */
export function writeOwnerState(room: RoomState, session: SessionState): Uint8Array {
  const before = session.grant.ownerState;
  const known = session.ownerHeadBytes;
  const head = known > 0 ? before.subarray(0, known) : encode(headOf(room, session));
  session.ownerHeadBytes = head.length;
  const pieces = [head];
  const there = known > 0 ? new FieldCursor(before.subarray(known)) : undefined;
  // Neighbours that have not changed are copied together.
  let copyFrom = known;
  let copyTo = known;
  for (const slot of session.slots.values()) {
    // The slots are the same ones, in the same order: others would have made the head anew.
    const isThere = there?.next() === true;
    if (isThere && slot.remembered === slot.desired) copyTo = known + there.end;
    else {
      if (copyTo > copyFrom) pieces.push(before.subarray(copyFrom, copyTo));
      pieces.push(encode({ slots: [{ pair: slot.pair, binding: bindingOf(slot) }] }));
      copyFrom = copyTo = known + (there?.end ?? 0);
    }
    slot.remembered = slot.desired;
  }
  if (copyTo > copyFrom) pieces.push(before.subarray(copyFrom, copyTo));
  if (session.speakerMids.size > 0) pieces.push(encode({ speakerMids: [...session.speakerMids] }));
  return concat(pieces);
}

/** Everything but what its slots are for. */
function headOf(room: RoomState, session: SessionState): OwnerStateInit {
  const { member } = session;
  const streams: StreamState[] = [];
  for (const stream of room.streams.values()) if (stream.session === session) streams.push(stream);
  return {
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
    negotiation: session.memory,
    nodeId: session.nodeId,
  };
}

function bindingOf({ mid, desired }: SlotState): NonNullable<OwnerStateInit["slots"]>[number]["binding"] {
  switch (desired.type) {
    case "nothing":
      return { mid };
    case "name":
      return { mid, streamName: desired.name };
    case "stream":
      return { mid, streamId: desired.stream.streamId, trackMid: desired.trackMid };
  }
}

function encode(init: OwnerStateInit): Uint8Array {
  return encodeMessage(SessionOwnerStateSchema, create(SessionOwnerStateSchema, init));
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
