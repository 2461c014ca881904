import { Codec } from "@parley/protocol";
import { tell } from "./audience.ts";
import { codecName } from "./snapshot.ts";
import {
  codecsOf,
  type BackupNeed,
  type RoomState,
  type SlotState,
  type StreamState,
  type TrackState,
} from "./state.ts";

/** What everybody can encode, the cheaper first. */
const backupCodecs: readonly Codec[] = [Codec.VP8, Codec.H264];

/**
 * Notes that a slot cannot show the first track of what it wants, or can (`undefined`). Needs are counted per stream, so that a join among
 * thousands of viewers costs the same as the first.
 */
export function setBackupNeed(
  room: RoomState,
  slot: SlotState,
  stream: StreamState | undefined,
  track: TrackState | undefined,
): void {
  const need = stream === undefined || track === undefined ? undefined : needOf(slot, stream, track);
  const before = slot.backup;
  if (before?.stream === need?.stream && before?.key === need?.key) return;
  slot.backup = need;
  if (before !== undefined) count(room, before, -1);
  if (need !== undefined) count(room, need, 1);
}

function needOf(slot: SlotState, stream: StreamState, track: TrackState): BackupNeed | undefined {
  const codec = backupFor(slot);
  if (codec === undefined) return undefined;
  return { stream, key: `${track.mid} ${codec}`, mid: track.mid, codec: codecName(codec) };
}

function backupFor(slot: SlotState): Codec | undefined {
  const payloadTypes = slot.session.grant.slots.find(({ mid }) => mid === slot.mid)?.payloadTypes ?? [];
  const codecs = codecsOf(slot.session.grant, payloadTypes).map(({ codec }) => codec);
  return backupCodecs.find((codec) => codecs.includes(codec));
}

function count(room: RoomState, { stream, key, mid, codec }: BackupNeed, change: number): void {
  const backup = stream.backups.get(key) ?? { mid, codec, slots: 0, asked: false };
  backup.slots += change;
  stream.backups.set(key, backup);
  room.backupsChanged.add(stream);
}

/**
 * A backup comes that nobody needs: it was asked for in another room, or before a restart of ours by somebody who has gone. Its publisher would send it for
 * ever.
 */
export function tellUnneeded(room: RoomState, stream: StreamState, track: TrackState): void {
  const { streamId, owner, backups } = stream;
  const { backupOf: mid } = track;
  const codec = codecName(track.codec);
  const isNeeded = [...backups.values()].some((need) => need.mid === mid && need.codec === codec);
  if (mid === "" || codec === "" || isNeeded) return;
  tell(room, [owner], { case: "codecWanted", value: { streamId, mid, codec, wanted: false } });
}

/**
 * Asks publishers for a track in another codec while somebody cannot decode their first one, and says when that is over. At the end of a call, so
 * that what changes to and fro within it is not told.
 */
export function tellBackups(room: RoomState): void {
  for (const stream of room.backupsChanged) {
    for (const [key, backup] of stream.backups) {
      const wanted = backup.slots > 0;
      if (wanted !== backup.asked && room.streams.has(stream.streamId)) {
        const { mid, codec } = backup;
        tell(room, [stream.owner], { case: "codecWanted", value: { streamId: stream.streamId, mid, codec, wanted } });
      }
      backup.asked = wanted;
      if (!wanted) stream.backups.delete(key);
    }
  }
  room.backupsChanged.clear();
}
