import { broadcastChange, followers, moderators, tell } from "./audience.ts";
import { tellSpeakersTo } from "./loudness.ts";
import { lobbyOf } from "./membership.ts";
import { roomInfo } from "./snapshot.ts";
import type { RoomState } from "./state.ts";

/** What was told last, since when that is so, and how often it has been said again. */
export interface Echo {
  readonly revision: bigint;
  readonly sinceMs: number;
  readonly sent: number;
}

/** After the last of several changes: at first when it has become quiet, then once more for a bus that was away for seconds. */
const afterMs = [2_000, 8_000] as const;

/**
 * The bus may lose an event, and a client sees that only by the next one's revision, if at all. So after the last change of the room one more comes
 * that changes nothing; who waits and who speaks, which is always told as a whole, is told again with the revision that it had.
 */
export function echo(room: RoomState, nowMs: number): void {
  const { echoes } = room;
  echoes.lobby = next(echoes.lobby, room.lobbyRevision, nowMs, () =>
    tell(room, moderators(room), { case: "lobbyChanged", value: lobbyOf(room) }),
  );
  echoes.speakers = next(echoes.speakers, room.speakersTold.revision, nowMs, () =>
    tellSpeakersTo(room, followers(room)),
  );
  const before = echoes.room;
  echoes.room = next(before, room.revision, nowMs, () => {
    broadcastChange(room, { case: "roomUpdated", value: { room: roomInfo(room) } });
  });
  // That has a revision of its own.
  if (echoes.room.sent > before.sent) echoes.room = { ...echoes.room, revision: room.revision };
}

function next(echoed: Echo, revision: bigint, nowMs: number, tellAgain: () => void): Echo {
  if (revision !== echoed.revision) return { revision, sinceMs: nowMs, sent: 0 };
  const dueAfterMs = afterMs[echoed.sent];
  if (dueAfterMs === undefined || nowMs - echoed.sinceMs < dueAfterMs) return echoed;
  tellAgain();
  return { ...echoed, sent: echoed.sent + 1 };
}

/** Nothing has been said that could be missed. */
export function silent(revision: bigint, nowMs: number): Echo {
  return { revision, sinceMs: nowMs, sent: afterMs.length };
}
