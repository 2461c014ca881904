import { create } from "@bufbuild/protobuf";
import { SpeakersChangedSchema, TrackKind } from "@parley/protocol";
import { followers, tell } from "./audience.ts";
import type { Member, RoomState, StreamState } from "./state.ts";

/** Levels are 127 less the dBov of RFC 6464: speech near a microphone is about 90 to 110, a quiet room 50 to 65. */
const startsSpeaking = 82;
/** Lower than the start, so that pauses between words do not flicker. */
const stopsSpeaking = 76;
/** Silence of so long ends a turn: longer than the pauses between sentences, short enough to hear the next one. */
const pauseMs = 700;
/** The list is for highlights: nobody can follow more. */
const maxSpeakers = 8;
/** Who begins or ends is told this soon; faster than people turn their heads. */
const tellEveryMs = 200;
/** Who of them is the loudest changes with every syllable. */
const tellOrderEveryMs = 1_000;

/** How loud a stream is: its loudest audio track that is heard. 0 when there is none. */
export function loudness(stream: StreamState): number {
  let level = 0;
  for (const track of stream.tracks.values()) {
    if (track.kind === TrackKind.AUDIO && track.live && !track.muted) level = Math.max(level, track.audioLevel);
  }
  return level;
}

export function hasAudio(stream: StreamState): boolean {
  for (const track of stream.tracks.values()) if (track.kind === TrackKind.AUDIO) return true;
  return false;
}

/** Takes the present levels into who speaks; returns whether somebody began or ended. */
export function updateSpeech(room: RoomState, nowMs: number): boolean {
  let changed = false;
  for (const stream of room.streams.values()) {
    const level = loudness(stream);
    if (level >= (stream.speaking ? stopsSpeaking : startsSpeaking)) {
      changed ||= !stream.speaking;
      stream.speaking = true;
      stream.spokeAtMs = nowMs;
      stream.speechLevel = level;
    } else if (stream.speaking && (level === 0 || nowMs - stream.spokeAtMs >= pauseMs)) {
      // Nothing at all is no pause: it was muted, or sends no more.
      stream.speaking = false;
      changed = true;
    }
  }
  return changed;
}

/** Tells who speaks, loudest first, when that has changed. May be lost: it is said again, and the next change says all. */
export function tellSpeakers(room: RoomState, nowMs: number): void {
  const sinceMs = nowMs - room.speakersToldAtMs;
  if (sinceMs < tellEveryMs) return;
  const speaking = [...room.streams.values()]
    .filter((stream) => stream.speaking)
    .sort((a, b) => b.speechLevel - a.speechLevel)
    .slice(0, maxSpeakers);
  const ids = speaking.map(({ streamId }) => streamId);
  const told = room.speakersTold.speakers.map(({ streamId }) => streamId);
  const sameOnes = ids.length === told.length && ids.every((id) => told.includes(id));
  if (sameOnes && (sinceMs < tellOrderEveryMs || ids.every((id, index) => id === told[index]))) return;
  room.speakersToldAtMs = nowMs;
  room.speakersTold = create(SpeakersChangedSchema, {
    revision: room.speakersTold.revision + 1n,
    speakers: speaking.map(({ streamId, owner: { participantId }, speechLevel: level }) => ({
      streamId,
      participantId,
      level,
    })),
  });
  tellSpeakersTo(room, followers(room));
}

/** What was told last, to these. */
export function tellSpeakersTo(room: RoomState, members: readonly Member[]): void {
  const newestOf = `speakers ${room.roomId}`;
  tell(room, members, { case: "speakersChanged", value: room.speakersTold }, { lossy: true, newestOf });
}

/** Streams that can be heard, loudest first; the order of publishing decides between equals. */
export function audibleStreams(room: RoomState): StreamState[] {
  return [...room.streams.values()]
    .filter((stream) => stream.session !== undefined && hasAudio(stream))
    .map((stream) => ({ stream, level: loudness(stream) }))
    .sort((a, b) => b.level - a.level || a.stream.order - b.stream.order)
    .map(({ stream }) => stream);
}
