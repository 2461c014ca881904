import { MediaKind, TrackKind } from "@parley/protocol";
import { makeCodecSet, type CodecSet } from "./codec-sets.ts";
import {
  codecsOf,
  type RoomState,
  type SessionState,
  type SlotDesire,
  type SlotState,
  type StreamState,
  type TrackState,
} from "./state.ts";

export function streamOfDesire(room: RoomState, desire: SlotDesire): StreamState | undefined {
  if (desire.type === "stream") return desire.stream;
  return desire.type === "name" ? streamByName(room, desire.name) : undefined;
}

/** Of several streams with one name, the oldest whose publisher is there; else the oldest whose publisher may come back. */
function streamByName(room: RoomState, name: string): StreamState | undefined {
  let found: StreamState | undefined;
  for (const stream of room.streams.values()) {
    if (stream.name === name && (found === undefined || goesFirst(stream, found))) found = stream;
  }
  return found;
}

function goesFirst(one: StreamState, other: StreamState): boolean {
  const there = Number(one.session !== undefined) - Number(other.session !== undefined);
  return there > 0 || (there === 0 && one.order < other.order);
}

/** The tracks of the stream that fit the slot, in the order of preference. */
export function tracksFor(slot: SlotState, stream: StreamState): TrackState[] {
  const kind = slot.kind === MediaKind.AUDIO ? TrackKind.AUDIO : TrackKind.VIDEO;
  const wanted = slot.desired.type === "stream" ? slot.desired.trackMid : "";
  const tracks = [...stream.tracks.values()].filter(
    (track) => track.kind === kind && (wanted === "" || track.mid === wanted || track.backupOf === wanted),
  );
  return tracks.sort((a, b) => a.order - b.order);
}

/**
 * Whether the subscriber can decode the track: by what really arrives once that is known, before that by everything
 * the publisher may send.
 */
export function canShow(room: RoomState, slot: SlotState, publisher: SessionState, track: TrackState): boolean {
  const receive = publisher.grant.receives.find(({ mid }) => mid === track.mid);
  const target = slot.session.grant.slots.find(({ mid }) => mid === slot.mid);
  if (receive === undefined || target === undefined) return false;
  const known = track.payloadType !== 0 && receive.payloadTypes.includes(track.payloadType);
  const from = codecSet(publisher, known ? [track.payloadType] : receive.payloadTypes);
  const to = codecSet(slot.session, target.payloadTypes);
  return room.forwardable.has(from, to, () => room.ports.negotiator.canForward(from.codecs, to.codecs));
}

/** The codecs of some payload types of a session, worked out once per negotiation. */
function codecSet(session: SessionState, payloadTypes: readonly number[]): CodecSet {
  const listed = payloadTypes.join(" ");
  let set = session.codecSets.get(listed);
  if (set === undefined) {
    set = makeCodecSet(codecsOf(session.grant, payloadTypes));
    session.codecSets.set(listed, set);
  }
  return set;
}
