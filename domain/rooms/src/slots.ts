import type { ErrorName } from "@parley/protocol";
import { setBackupNeed } from "./backup-codecs.ts";
import { canShow, streamOfDesire, tracksFor } from "./slot-queries.ts";
import type { RoomState, SlotDesire, SlotState, StreamState, TrackState } from "./state.ts";

/** Changes what a slot is to show, and says at once what that comes to. */
export function setDesire(room: RoomState, slot: SlotState, desire: SlotDesire): void {
  if (isSame(slot.desired, desire)) return;
  // Also when it shows the same in the end: who takes over from us must know what is wanted.
  room.dirty.add(slot.session);
  forget(room, slot);
  slot.desired = desire;
  if (desire.type === "stream") desire.stream.wantedBy.add(slot);
  if (desire.type === "name") {
    const slots = room.slotsByName.get(desire.name);
    if (slots === undefined) room.slotsByName.set(desire.name, new Set([slot]));
    else slots.add(slot);
  }
  resolve(room, slot);
}

function isSame(one: SlotDesire, other: SlotDesire): boolean {
  if (one.type === "nothing") return other.type === "nothing";
  if (one.type === "name") return other.type === "name" && one.name === other.name;
  return other.type === "stream" && one.stream === other.stream && one.trackMid === other.trackMid;
}

/** A slot that is no more wants nothing. */
export function dropSlot(room: RoomState, slot: SlotState): void {
  forget(room, slot);
  slot.desired = { type: "nothing" };
  setBackupNeed(room, slot, undefined, undefined);
}

/** After a change of the stream's session, tracks or codecs. */
export function resolveSlotsOf(room: RoomState, stream: StreamState): void {
  for (const slot of stream.wantedBy) resolve(room, slot);
  // Also those that showed another stream of this name so far.
  for (const slot of room.slotsByName.get(stream.name) ?? []) resolve(room, slot);
}

/** The stream is gone: who wanted it by its id wants nothing now, who wanted it by name waits for the next. */
export function releaseSlots(room: RoomState, stream: StreamState): void {
  for (const slot of stream.wantedBy) {
    slot.desired = { type: "nothing" };
    resolve(room, slot);
  }
  stream.wantedBy.clear();
  for (const slot of room.slotsByName.get(stream.name) ?? []) resolve(room, slot);
}

function forget(room: RoomState, slot: SlotState): void {
  const { desired } = slot;
  if (desired.type === "stream") desired.stream.wantedBy.delete(slot);
  if (desired.type === "name") {
    const slots = room.slotsByName.get(desired.name);
    if (slots?.delete(slot) === true && slots.size === 0) room.slotsByName.delete(desired.name);
  }
}

/** Works out what a slot can show of what it wants; a change makes its session dirty. */
export function resolve(room: RoomState, slot: SlotState): void {
  const { effective, error, lacking } = outcomeOf(room, slot);
  setBackupNeed(room, slot, lacking?.stream, lacking?.track);
  const same =
    slot.effective?.stream === effective?.stream &&
    slot.effective?.track.mid === effective?.track.mid &&
    slot.effective?.session === effective?.session;
  if (!same) {
    slot.effective = effective;
    room.dirty.add(slot.session);
  } else if (effective !== undefined) {
    // The track's record may be a new one with the same identity.
    slot.effective = effective;
  }
  if (!same || slot.error !== error) {
    slot.error = error;
    room.rebound.add(slot);
  }
}

interface Outcome {
  readonly effective: SlotState["effective"];
  readonly error: ErrorName | undefined;
  /** The track that would be shown if the subscriber could decode it. */
  readonly lacking: { readonly stream: StreamState; readonly track: TrackState } | undefined;
}

const nothing: Outcome = { effective: undefined, error: undefined, lacking: undefined };

function outcomeOf(room: RoomState, slot: SlotState): Outcome {
  if (slot.desired.type === "nothing") return nothing;
  if (!slot.session.member.permissions.subscribe) return { ...nothing, error: "permission-denied" };
  const stream = streamOfDesire(room, slot.desired);
  if (stream?.session === undefined) return nothing;
  const tracks = tracksFor(slot, stream);
  const [first] = tracks;
  if (first === undefined) return nothing;
  const { session } = stream;
  const track = tracks.find((candidate) => canShow(room, slot, session, candidate));
  const lacking = track === first ? undefined : { stream, track: first };
  if (track === undefined) return { effective: undefined, error: "codec-not-accepted", lacking };
  return { effective: { stream, track, session }, error: undefined, lacking };
}
