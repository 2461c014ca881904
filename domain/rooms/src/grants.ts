import { create } from "@bufbuild/protobuf";
import { BindingSchema, type SessionGrant, type Slot } from "@parley/protocol";
import { writeOwnerState } from "./owner-state.ts";
import type { RoomState, SessionState, SlotState } from "./state.ts";
import { mayPublish } from "./permissions.ts";

/** Puts out the next revision of every session whose desired state changed in this call. */
export function publishDirtyGrants(room: RoomState): void {
  for (const session of room.dirty) {
    if (session.ended) continue;
    const before = session.grant;
    session.grant = nextGrant(room, session);
    room.out.push({ type: "grant", nodeId: session.nodeId, grant: session.grant, before });
  }
  room.dirty.clear();
}

/** Grants are never changed once they are out, so a revision shares with the one before what is the same in both. */
function nextGrant(room: RoomState, session: SessionState): SessionGrant {
  const before = session.grant;
  return {
    ...before,
    revision: before.revision + 1n,
    slots: before.slots.map((slot) => {
      const effective = session.slots.get(slot.mid)?.effective;
      return isBoundTo(slot, effective) ? slot : boundTo(slot, effective);
    }),
    receives: before.receives.map((receive) => {
      const track = room.streams.get(receive.streamId)?.tracks.get(receive.mid);
      const paused = track === undefined || track.muted || !mayPublish(session.member, track.source);
      return paused === receive.paused ? receive : { ...receive, paused };
    }),
    ownerState: writeOwnerState(room, session),
  };
}

function isBoundTo({ binding }: Slot, effective: SlotState["effective"]): boolean {
  if (binding === undefined || effective === undefined) return binding === effective;
  return (
    binding.publisherSessionId === effective.session.sessionId &&
    binding.publisherMid === effective.track.mid &&
    binding.streamId === effective.stream.streamId
  );
}

function boundTo({ $typeName, mid, kind, ssrc, rtxSsrc, payloadTypes }: Slot, effective: SlotState["effective"]): Slot {
  const slot = { $typeName, mid, kind, ssrc, rtxSsrc, payloadTypes };
  if (effective === undefined) return slot;
  const binding = create(BindingSchema, {
    publisherSessionId: effective.session.sessionId,
    publisherMid: effective.track.mid,
    streamId: effective.stream.streamId,
  });
  return { ...slot, binding };
}
