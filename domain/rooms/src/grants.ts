import { create } from "@bufbuild/protobuf";
import { BindingSchema, type SessionGrant } from "@parley/protocol";
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

/** Grants are never changed once they are out, so a revision shares with the one before what is the same in both. */
function nextGrant(room: RoomState, session: SessionState): SessionGrant {
  const before = session.grant;
  return {
    ...before,
    revision: before.revision + 1n,
    slots: before.slots.map(({ $typeName, mid, kind, ssrc, rtxSsrc, payloadTypes }) => {
      const slot = { $typeName, mid, kind, ssrc, rtxSsrc, payloadTypes };
      const effective = session.slots.get(mid)?.effective;
      if (effective === undefined) return slot;
      const binding = create(BindingSchema, {
        publisherSessionId: effective.session.sessionId,
        publisherMid: effective.track.mid,
        streamId: effective.stream.streamId,
      });
      return { ...slot, binding };
    }),
    receives: before.receives.map((receive) => {
      const track = room.streams.get(receive.streamId)?.tracks.get(receive.mid);
      const paused = track === undefined || track.muted || !mayPublish(session.member, track.source);
      return paused === receive.paused ? receive : { ...receive, paused };
    }),
    ownerState: writeOwnerState(room, session),
  };
}
