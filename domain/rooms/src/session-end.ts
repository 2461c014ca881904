import { create } from "@bufbuild/protobuf";
import { ClientSessionState, SessionGrantSchema } from "@parley/protocol";
import { tell } from "./audience.ts";
import { wireError } from "./outbox.ts";
import { dropSlot } from "./slots.ts";
import type { RoomState, SessionState } from "./state.ts";
import { endStream, orphanStream } from "./streams.ts";
import type { Refusal } from "./io.ts";

/**
 * `closed`: the client asked, or left. `replaced`: the client opened another under the same name, so its streams may come right back.
 * A refusal: the PeerConnection is dead, the client is told.
 */
export type SessionEnd = "closed" | "replaced" | Refusal;

/** Ends a session: its streams end, or wait for the publisher's next session; its slots are free; the node is told. */
export function endSession(room: RoomState, session: SessionState, nowMs: number, end: SessionEnd): void {
  if (session.ended) return;
  session.ended = true;
  room.sessions.delete(session.sessionId);
  if (session.member.sessions.get(session.name) === session) session.member.sessions.delete(session.name);
  for (const slot of session.slots.values()) dropSlot(room, slot);
  for (const stream of [...room.streams.values()]) {
    if (stream.session !== session) continue;
    if (end === "closed") endStream(room, stream);
    else orphanStream(room, stream, nowMs);
  }
  closeGrant(room, session);
  if (typeof end !== "string") {
    tell(room, [session.member], {
      case: "sessionState",
      value: { session: session.name, state: ClientSessionState.LOST, error: wireError(end) },
    });
  }
}

/** The last revision of a session: free everything. */
function closeGrant(room: RoomState, session: SessionState): void {
  const { appId, roomId, sessionId, nodeBootId, revision, ice } = session.grant;
  session.grant = create(SessionGrantSchema, {
    appId,
    roomId,
    sessionId,
    nodeBootId,
    revision: revision + 1n,
    ...(ice === undefined ? {} : { ice }),
    closed: true,
  });
  room.dirty.delete(session);
  room.out.push({ type: "grant", nodeId: session.nodeId, grant: session.grant });
}
