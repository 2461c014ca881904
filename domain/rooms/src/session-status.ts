import {
  ClientSessionState,
  errorName,
  SessionState as NodeSessionState,
  type SessionStatus,
  type TrackAudioLevel,
  type TrackStatus,
} from "@parley/protocol";
import { tell } from "./audience.ts";
import { tellUnneeded } from "./backup-codecs.ts";
import { pathQuality } from "./connection-quality.ts";
import { removeMember } from "./membership.ts";
import { endSession, type SessionEnd } from "./session-end.ts";
import { resolveSlotsOf } from "./slots.ts";
import type { RoomState, SessionState, StreamState, TrackState } from "./state.ts";
import { announceStream } from "./streams.ts";

/** Takes what a media node tells of a session. Repeats and reordered ones do no harm: the next second's status is right again. */
export function takeStatus(room: RoomState, status: SessionStatus, nowMs: number): void {
  const session = room.sessions.get(status.sessionId);
  if (session === undefined || session.nodeId !== status.nodeId || session.nodeBootId !== status.nodeBootId) return;
  switch (status.state) {
    case NodeSessionState.FAILED:
    case NodeSessionState.CLOSED:
      loseSession(room, session, nowMs, { name: errorName(status.reason) ?? "session-lost" });
      return;
    case NodeSessionState.CONNECTED:
      if (!session.connected) {
        session.connected = true;
        if (!session.member.leaveWithSession) {
          tell(room, [session.member], {
            case: "sessionState",
            value: { session: session.name, state: ClientSessionState.CONNECTED },
          });
        }
      }
      break;
    case NodeSessionState.UNSPECIFIED:
      // The node does not have it (any more), and is being told.
      return;
    default:
  }
  session.path = pathQuality(status);
  takeTracks(room, session, status.tracks);
}

/** Takes what a node heard between two statuses. */
export function takeLevels(
  room: RoomState,
  node: { readonly nodeId: string; readonly nodeBootId: bigint },
  levels: readonly TrackAudioLevel[],
): void {
  const changed = new Set<StreamState>();
  for (const { sessionId, mid, level } of levels) {
    const session = room.sessions.get(sessionId);
    if (session === undefined || session.nodeId !== node.nodeId || session.nodeBootId !== node.nodeBootId) continue;
    const found = trackOf(room, session, mid);
    if (found === undefined) continue;
    found.track.audioLevel = level;
    // Only packets have a level: the first word is heard, whenever the next status says that there is media.
    if (level === 0 || found.track.live) continue;
    found.track.live = true;
    changed.add(found.stream);
  }
  for (const stream of changed) announceStream(room, stream);
}

/** The PeerConnection is dead. A WHIP or WHEP participant is nothing without it; others make a new one. */
export function loseSession(
  room: RoomState,
  session: SessionState,
  nowMs: number,
  reason: Exclude<SessionEnd, string>,
): void {
  if (session.member.leaveWithSession) removeMember(room, session.member, nowMs, "session-ended");
  else endSession(room, session, nowMs, reason);
}

export function nodeLost(room: RoomState, nodeId: string, bootId: bigint, nowMs: number): void {
  for (const session of [...room.sessions.values()]) {
    if (session.nodeId === nodeId && session.nodeBootId === bootId)
      loseSession(room, session, nowMs, { name: "session-lost" });
  }
}

function takeTracks(room: RoomState, session: SessionState, statuses: readonly TrackStatus[]): void {
  const changed = new Set<StreamState>();
  const recoded = new Map<TrackState, StreamState>();
  for (const status of statuses) {
    const found = trackOf(room, session, status.mid);
    if (found === undefined) continue;
    const { stream, track } = found;
    track.audioLevel = status.audioLevel;
    if (track.live !== status.live) {
      track.live = status.live;
      changed.add(stream);
    }
    // A node that has seen no packet yet says 0: that is no news.
    if (status.payloadType !== 0 && (track.payloadType !== status.payloadType || track.codec !== status.codec)) {
      if (track.codec !== status.codec) changed.add(stream);
      track.codec = status.codec;
      track.payloadType = status.payloadType;
      recoded.set(track, stream);
    }
  }
  for (const stream of changed) announceStream(room, stream);
  for (const stream of new Set(recoded.values())) resolveSlotsOf(room, stream);
  for (const [track, stream] of recoded) tellUnneeded(room, stream, track);
}

function trackOf(
  room: RoomState,
  session: SessionState,
  mid: string,
): { readonly stream: StreamState; readonly track: TrackState } | undefined {
  const receive = session.grant.receives.find((one) => one.mid === mid);
  const stream = receive === undefined ? undefined : room.streams.get(receive.streamId);
  const track = stream?.session === session ? stream.tracks.get(mid) : undefined;
  return stream === undefined || track === undefined ? undefined : { stream, track };
}
