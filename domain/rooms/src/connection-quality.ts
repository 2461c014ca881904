import { Quality, type SessionStatus } from "@parley/protocol";
import { followers, isListed, present, tell } from "./audience.ts";
import type { Member, RoomState, SessionState } from "./state.ts";

/** What a node measured of a session last. */
export interface PathQuality {
  readonly lossRatio: number;
  readonly rttMs: number;
  /** Nothing comes from the client. */
  readonly silent: boolean;
}

interface ParticipantQuality {
  readonly participantId: string;
  readonly quality: Quality;
}

/** Loss that repair hides well, and loss that people see and hear. */
const fairLoss = 0.03;
const poorLoss = 0.1;
/** Conversation suffers from some 300 ms there and back with what capture and playout add. */
const fairRttMs = 200;
const poorRttMs = 400;
const tellEveryMs = 2_000;

export function pathQuality({ tracks, slots, delivery, rttMs, silent }: SessionStatus): PathQuality {
  // Transport-wide feedback comes ten times a second and counts everything; a receiver report of audio covers five seconds and more.
  const hasFeedback = delivery !== undefined && (delivery.bitrateBps > 0 || delivery.lossRatio > 0);
  const measured = hasFeedback ? [...tracks, delivery] : [...tracks, ...slots];
  return { lossRatio: Math.max(0, ...measured.map(({ lossRatio }) => lossRatio)), rttMs, silent };
}

/** Tells whose connection has become better or worse, and who has come since how everybody's is. */
export function tellQualities(room: RoomState, nowMs: number): void {
  if (nowMs - room.qualityToldAtMs < tellEveryMs) return;
  room.qualityToldAtMs = nowMs;
  const changed: ParticipantQuality[] = [];
  const newcomers: Member[] = [];
  // A live class has thousands of members, of whom hardly anybody has news: one look at each, and lists only of those who have.
  for (const member of room.members.values()) {
    if (member.waiting) continue;
    const quality = qualityOf(member);
    const isNews = quality !== member.quality;
    member.quality = quality;
    if (isNews && isListed(room, member)) changed.push({ participantId: member.participantId, quality });
    if (!member.knowsQualities && !member.leaveWithSession) newcomers.push(member);
  }
  if (newcomers.length > 0) tellNewcomers(room, newcomers);
  if (changed.length === 0) return;
  // May be lost: it is said again with the next change.
  const others = followers(room).filter((member) => !newcomers.includes(member));
  tell(room, others, { case: "qualityChanged", value: { qualities: changed } }, { lossy: true });
}

function tellNewcomers(room: RoomState, newcomers: readonly Member[]): void {
  const known: ParticipantQuality[] = [];
  for (const member of present(room)) {
    const { participantId, quality } = member;
    if (quality !== Quality.UNSPECIFIED && isListed(room, member)) known.push({ participantId, quality });
  }
  for (const member of newcomers) member.knowsQualities = true;
  if (known.length > 0) tell(room, newcomers, { case: "qualityChanged", value: { qualities: known } });
}

/** A member is as well connected as the worst of its sessions. */
function qualityOf(member: Member): Quality {
  let worst: Quality = Quality.UNSPECIFIED;
  for (const session of member.sessions.values()) {
    const quality = sessionQuality(session);
    if (quality > worst) worst = quality;
  }
  return worst;
}

function sessionQuality({ connected, path }: SessionState): Quality {
  if (!connected || path === undefined) return Quality.UNSPECIFIED;
  if (path.silent) return Quality.LOST;
  if (path.lossRatio >= poorLoss || path.rttMs >= poorRttMs) return Quality.POOR;
  return path.lossRatio >= fairLoss || path.rttMs >= fairRttMs ? Quality.FAIR : Quality.GOOD;
}
