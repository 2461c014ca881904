import { clone, create } from "@bufbuild/protobuf";
import { BindingSchema, SessionGrantSchema } from "@parley/protocol";
import { writeOwnerState } from "./owner-state.ts";
import type { RoomState, SessionState } from "./state.ts";
import { mayPublish } from "./permissions.ts";

/** Puts out the next revision of every session whose desired state changed in this call. */
export function publishDirtyGrants(room: RoomState): void {
  for (const session of room.dirty) {
    if (session.ended) continue;
    session.grant = nextGrant(room, session);
    room.out.push({ type: "grant", nodeId: session.nodeId, grant: session.grant });
  }
  room.dirty.clear();
}

function nextGrant(room: RoomState, session: SessionState) {
  const grant = clone(SessionGrantSchema, session.grant);
  grant.revision += 1n;
  for (const slot of grant.slots) {
    const effective = session.slots.get(slot.mid)?.effective;
    if (effective === undefined) {
      delete slot.binding;
      continue;
    }
    slot.binding = create(BindingSchema, {
      publisherSessionId: effective.session.sessionId,
      publisherMid: effective.track.mid,
      streamId: effective.stream.streamId,
    });
  }
  for (const receive of grant.receives) {
    const track = room.streams.get(receive.streamId)?.tracks.get(receive.mid);
    receive.paused = track === undefined || track.muted || !mayPublish(session.member, track.source);
  }
  grant.ownerState = writeOwnerState(room, session);
  return grant;
}
