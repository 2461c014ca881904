import type { Member, RoomState, SessionState } from "./state.ts";

/** Copies of what concerns the whole room: enough that some node still has one. */
const roomCopies = 3;

/*
 * What a process that takes over knows is what the grants at the nodes carry (owner-state.ts). So a change that must not be forgotten makes a
 * new revision of a grant, also where the node has nothing to do for it: a permission that was taken away must not come back with a restart.
 * Slots make revisions by themselves (slots.ts), and most of them: what else a grant remembers is written anew only when it has changed.
 */

/** Something of the session changed that is not what its slots are for. */
export function rememberSession(room: RoomState, session: SessionState): void {
  session.ownerHeadBytes = 0;
  room.dirty.add(session);
}

/** Something of the member changed. */
export function rememberMember(room: RoomState, member: Member): void {
  for (const session of member.sessions.values()) rememberSession(room, session);
}

/** Something of the member, or what it publishes, changed that is remembered with whatever comes next: others say it, too. */
export function rememberLater(sessions: Iterable<SessionState>): void {
  for (const session of sessions) session.ownerHeadBytes = 0;
}

/** Something of the room itself changed. */
export function rememberRoom(room: RoomState): void {
  let left = roomCopies;
  for (const session of room.sessions.values()) {
    if (left === 0) return;
    rememberSession(room, session);
    left -= 1;
  }
}
