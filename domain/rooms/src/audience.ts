import type { Member, RoomState } from "./state.ts";
import { pushEvent } from "./outbox.ts";
import { RoomKind, Role } from "@parley/protocol";

type Event = Parameters<typeof pushEvent>[2];

/** Whether others see the member. Hidden ones are not counted either; viewers of a live class, and over WHEP, are counted only. */
export function isListed(room: RoomState, member: Member): boolean {
  return !member.waiting && !member.permissions.hidden && !isUnlistedViewer(room, member);
}

function isUnlistedViewer(room: RoomState, member: Member): boolean {
  return member.watchesOnly || (room.kind === RoomKind.LIVE_CLASS && member.role === Role.VIEWER);
}

/** Everybody present who follows the room's events. */
export function followers(room: RoomState): Member[] {
  return [...present(room)].filter((member) => !member.leaveWithSession);
}

/** Members that are in the room, not in its lobby. */
export function* present(room: RoomState): Generator<Member> {
  for (const member of room.members.values()) if (!member.waiting) yield member;
}

export function participantCount(room: RoomState): number {
  let count = 0;
  // For thousands of members, without the generator.
  for (const member of room.members.values()) if (!member.waiting && !member.permissions.hidden) count += 1;
  return count;
}

/** An event that changes the state everybody sees: it takes the next revision and goes to all who are present. */
export function broadcastChange(room: RoomState, event: Event, except?: Member): void {
  room.revision += 1n;
  const connectionIds: string[] = [];
  for (const member of present(room)) {
    // WHIP and WHEP know no room state: nobody would read it.
    if (member !== except && !member.leaveWithSession) connectionIds.push(member.connectionId);
  }
  pushEvent(room.out, { appId: room.appId, roomId: room.roomId, connectionIds, revision: room.revision }, event);
}

/** What a WHIP or WHEP participant is told: that it is none any more. It has no use for anything else. */
const farewells: ReadonlySet<Event["case"]> = new Set(["removed", "moved", "roomClosed", "sessionState"]);

/** An event for some, outside the revisions. */
export function tell(
  room: RoomState,
  members: Iterable<Member>,
  event: Event,
  how: { readonly lossy?: boolean; readonly newestOf?: string } = {},
): void {
  const connectionIds: string[] = [];
  for (const member of members) {
    if (!member.leaveWithSession || farewells.has(event.case)) connectionIds.push(member.connectionId);
  }
  pushEvent(room.out, { appId: room.appId, roomId: room.roomId, connectionIds, revision: 0n, ...how }, event);
}

export function moderators(room: RoomState): Member[] {
  return [...present(room)].filter((member) => member.permissions.moderate);
}
