import { MediaKind, TrackKind } from "@parley/protocol";
import {
  codecsOf,
  type RoomState,
  type SessionState,
  type SlotDesire,
  type SlotState,
  type StreamState,
  type TrackState,
} from "./state.ts";

/** Every slot that this stream is for at the moment. */
export function slotsWanting(room: RoomState, stream: StreamState): SlotState[] {
  const byName = streamByName(room, stream.name) === stream ? [...(room.slotsByName.get(stream.name) ?? [])] : [];
  return [...stream.wantedBy, ...byName];
}

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
    (track) => track.kind === kind && (wanted === "" || track.mid === wanted),
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
  const from = codecsOf(publisher.grant, known ? [track.payloadType] : receive.payloadTypes);
  return room.ports.negotiator.canForward(from, codecsOf(slot.session.grant, target.payloadTypes));
}
