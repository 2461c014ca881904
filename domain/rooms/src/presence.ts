import type { ConnectionAlive } from "@parley/protocol";
import type { Member } from "./state.ts";

/** An announcement of connections that is heard again and again; kept by those that it names. */
export interface Announcement {
  heardAtMs: number;
  /** All that it names were members when it was heard last, and have been since: hearing it once more says no more than that. */
  isSettled: boolean;
}

/**
 * Which announcements say of whom that its connection lives. A process that holds thousands of connections announces the same list every second:
 * as long as it is the same object, and nobody it names has gone, all of them are refreshed by one number.
 */
export class Announcements {
  readonly #known = new WeakMap<readonly ConnectionAlive[], Announcement>();

  /** Whether that was all; if not, the caller goes through the list, and tells who is there. */
  hear(
    connections: readonly ConnectionAlive[],
    nowMs: number,
  ): { readonly announcement: Announcement; isDone: boolean } {
    const known = this.#known.get(connections);
    if (known !== undefined) {
      known.heardAtMs = nowMs;
      const isDone = known.isSettled;
      known.isSettled = true;
      return { announcement: known, isDone };
    }
    const announcement = { heardAtMs: nowMs, isSettled: true };
    this.#known.set(connections, announcement);
    return { announcement, isDone: false };
  }
}

/** When its owner was heard of last, by itself or by who holds its connection. */
export function lastSeenMs({ seenAtMs, announcement }: Member): number {
  return announcement === undefined ? seenAtMs : Math.max(seenAtMs, announcement.heardAtMs);
}

/** It is no member any more: if it is announced on, that is to be noticed. */
export function unsettle({ announcement }: Member): void {
  if (announcement !== undefined) announcement.isSettled = false;
}

/** The time until now does not count. */
export function forgive(members: Iterable<Member>, missedMs: number): void {
  const announcements = new Set<Announcement>();
  for (const member of members) {
    member.seenAtMs += missedMs;
    if (member.announcement !== undefined) announcements.add(member.announcement);
  }
  for (const announcement of announcements) announcement.heardAtMs += missedMs;
}
