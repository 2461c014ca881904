import { create } from "@bufbuild/protobuf";
import type { Join, RoomKind } from "@parley/protocol";
import { RoomKind as Kind, SpeakersChangedSchema } from "@parley/protocol";
import { broadcastChange, participantCount } from "./audience.ts";
import { tellBackups } from "./backup-codecs.ts";
import { Forwardable } from "./codec-sets.ts";
import { tellRebound } from "./bindings.ts";
import { tellQualities } from "./connection-quality.ts";
import { echo, silent } from "./echo.ts";
import { publishDirtyGrants } from "./grants.ts";
import { tellSpeakers, updateSpeech } from "./loudness.ts";
import { removeMember } from "./membership.ts";
import type { Outbox } from "./outbox.ts";
import type { RoomPorts } from "./ports.ts";
import { roomInfo } from "./snapshot.ts";
import { lastSeenMs } from "./presence.ts";
import { bindAllSpeakers } from "./speakers.ts";
import type { RoomState } from "./state.ts";
import { endOrphans } from "./streams.ts";

const countEveryMs = 1_000;

export interface RoomOrigin {
  readonly appId: string;
  readonly roomId: string;
  readonly kind: RoomKind;
  readonly nowMs: number;
  /** When it was made first, for a room that is rebuilt. */
  readonly createdAtUnixMs?: number;
}

export function makeRoom(ports: RoomPorts, out: Outbox, origin: RoomOrigin): RoomState {
  const { nowMs } = origin;
  const revision = firstRevision(nowMs);
  return {
    ports,
    out,
    appId: origin.appId,
    roomId: origin.roomId,
    kind: origin.kind,
    createdAtUnixMs: origin.createdAtUnixMs ?? origin.nowMs,
    attributes: new Map(),
    lobbyEnabled: false,
    locked: false,
    revision,
    members: new Map(),
    byConnection: new Map(),
    nextLapseAtMs: 0,
    streams: new Map(),
    sessions: new Map(),
    slotsByName: new Map(),
    dirty: new Set(),
    rebound: new Set(),
    backupsChanged: new Set(),
    forwardable: new Forwardable(),
    bannedUsers: new Set(),
    toldCount: 0,
    countedAtMs: 0,
    lobbyRevision: revision,
    echoes: {
      room: { revision: 0n, sinceMs: nowMs, sent: 0 },
      lobby: silent(revision, nowMs),
      speakers: silent(revision, nowMs),
    },
    qualityToldAtMs: nowMs,
    speakersToldAtMs: 0,
    speakersTold: create(SpeakersChangedSchema, { revision }),
    speakersBoundAtMs: 0,
    order: 0,
  };
}

/**
 * Revisions start from the time, with room for a thousand changes a millisecond: a room that is made, or rebuilt, under a name that was in use
 * never repeats a number, so a late event of the former room is old to everybody.
 */
function firstRevision(nowMs: number): bigint {
  return BigInt(Math.floor(nowMs)) << 10n;
}

export function kindOf(join: Join): RoomKind {
  return join.kind === Kind.UNSPECIFIED ? Kind.CONFERENCE : join.kind;
}

/** The end of every call: sessions whose desired state changed get their next revision, owners hear what their slots came to. */
export function settle(room: RoomState): void {
  publishDirtyGrants(room);
  tellBackups(room);
  tellRebound(room);
}

/** What time alone brings about. */
export function tickRoom(room: RoomState, nowMs: number): void {
  if (nowMs >= room.nextLapseAtMs) removeLapsed(room, nowMs);
  endOrphans(room, nowMs);
  followSpeech(room, nowMs);
  tellQualities(room, nowMs);
  echo(room, nowMs);
  tellCount(room, nowMs);
}

/** Live classes tell their size now and then: their viewers come and go without events. */
function tellCount(room: RoomState, nowMs: number): void {
  if (room.kind !== Kind.LIVE_CLASS || nowMs - room.countedAtMs < countEveryMs) return;
  room.countedAtMs = nowMs;
  const count = participantCount(room);
  if (count === room.toldCount) return;
  room.toldCount = count;
  broadcastChange(room, { case: "roomUpdated", value: { room: roomInfo(room, count) } });
}

/** Those whose connection is silent, or whose token has ended; and when to look again. */
function removeLapsed(room: RoomState, nowMs: number): void {
  const { presenceTimeoutMs } = room.ports.limits;
  room.nextLapseAtMs = Number.POSITIVE_INFINITY;
  for (const member of [...room.members.values()]) {
    const { expiresAtUnixMs } = member;
    const silentAtMs = lastSeenMs(member) + presenceTimeoutMs;
    if (nowMs > silentAtMs) removeMember(room, member, nowMs, "lost");
    else if (expiresAtUnixMs !== 0 && nowMs >= expiresAtUnixMs) removeMember(room, member, nowMs, "token-expired");
    else {
      const lapsesAtMs = expiresAtUnixMs === 0 ? silentAtMs : Math.min(silentAtMs, expiresAtUnixMs);
      room.nextLapseAtMs = Math.min(room.nextLapseAtMs, lapsesAtMs);
    }
  }
}

/** What sound levels, or the time since they came, bring about: who speaks is heard, and is told. */
export function followSpeech(room: RoomState, nowMs: number): void {
  const changed = updateSpeech(room, nowMs);
  bindAllSpeakers(room, nowMs, changed);
  tellSpeakers(room, nowMs);
}
