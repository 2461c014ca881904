import type { Member, RoomState } from "./state.ts";

/** Copies of what concerns the whole room: enough that some node still has one. */
const roomCopies = 3;

/*
 * What a process that takes over knows is what the grants at the nodes carry (owner-state.ts). So a change that must not be forgotten makes a
 * new revision of a grant, also where the node has nothing to do for it: a permission that was taken away must not come back with a restart.
 */

/** Something of the member changed. */
export function rememberMember(room: RoomState, member: Member): void {
  for (const session of member.sessions.values()) room.dirty.add(session);
}

/** Something of the room itself changed. */
export function rememberRoom(room: RoomState): void {
  let left = roomCopies;
  for (const session of room.sessions.values()) {
    if (left === 0) return;
    room.dirty.add(session);
    left -= 1;
  }
}
