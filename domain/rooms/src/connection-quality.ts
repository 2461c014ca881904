import { Quality, type SessionStatus } from "@parley/protocol";
import { followers, isListed, present, tell } from "./audience.ts";
import type { Member, RoomState, SessionState } from "./state.ts";

/** What a node measured of a session last. */
export interface PathQuality {
  readonly atMs: number;
  readonly lossRatio: number;
  readonly rttMs: number;
}

/** Loss that repair hides well, and loss that people see and hear. */
const fairLoss = 0.03;
const poorLoss = 0.1;
/** Conversation suffers from some 300 ms there and back with what capture and playout add. */
const fairRttMs = 200;
const poorRttMs = 400;
/** Statuses come every five seconds when nothing changes. */
const lostAfterMs = 12_000;
const tellEveryMs = 2_000;

export function pathQuality({ tracks, slots, rttMs }: SessionStatus, nowMs: number): PathQuality {
  const losses = [...tracks, ...slots].map(({ lossRatio }) => lossRatio);
  return { atMs: nowMs, lossRatio: Math.max(0, ...losses), rttMs };
}

/** Tells whose connection has become better or worse, and who has come since how everybody's is. */
export function tellQualities(room: RoomState, nowMs: number): void {
  if (nowMs - room.qualityToldAtMs < tellEveryMs) return;
  room.qualityToldAtMs = nowMs;
  const changed: { participantId: string; quality: Quality }[] = [];
  const known: { participantId: string; quality: Quality }[] = [];
  for (const member of present(room)) {
    const quality = qualityOf(member, nowMs);
    const isNews = quality !== member.quality;
    member.quality = quality;
    if (!isListed(room, member)) continue;
    const one = { participantId: member.participantId, quality };
    if (isNews) changed.push(one);
    if (quality !== Quality.UNSPECIFIED) known.push(one);
  }
  const all = followers(room);
  const newcomers = all.filter((member) => !member.knowsQualities);
  for (const member of newcomers) member.knowsQualities = true;
  if (newcomers.length > 0 && known.length > 0)
    tell(room, newcomers, { case: "qualityChanged", value: { qualities: known } });
  if (changed.length === 0) return;
  // May be lost: it is said again with the next change.
  const others = all.filter((member) => !newcomers.includes(member));
  tell(room, others, { case: "qualityChanged", value: { qualities: changed } }, true);
}

/** A member is as well connected as the worst of its sessions. */
function qualityOf(member: Member, nowMs: number): Quality {
  let worst: Quality = Quality.UNSPECIFIED;
  for (const session of member.sessions.values()) {
    const quality = sessionQuality(session, nowMs);
    if (quality > worst) worst = quality;
  }
  return worst;
}

function sessionQuality({ connected, path }: SessionState, nowMs: number): Quality {
  if (!connected || path === undefined) return Quality.UNSPECIFIED;
  if (nowMs - path.atMs > lostAfterMs) return Quality.LOST;
  if (path.lossRatio >= poorLoss || path.rttMs >= poorRttMs) return Quality.POOR;
  return path.lossRatio >= fairLoss || path.rttMs >= fairRttMs ? Quality.FAIR : Quality.GOOD;
}
