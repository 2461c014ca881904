import { TrackKind } from "@parley/protocol";
import { followers, tell } from "./audience.ts";
import type { RoomState, StreamState } from "./state.ts";

/** Levels are 127 less the dBov of RFC 6464: speech near a microphone is about 90 to 110, a quiet room 50 to 65. */
const startsSpeaking = 82;
/** Lower than the start, so that pauses between words do not flicker. */
const stopsSpeaking = 76;
/** The list is for highlights: nobody can follow more. */
const maxSpeakers = 8;
/** Faster than people turn their heads, slow enough to cost nothing. */
const tellEveryMs = 500;

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

export function isSpeech(level: number): boolean {
  return level >= startsSpeaking;
}

/** Tells who speaks, loudest first, when that has changed. May be lost: the next change says it all again. */
export function tellSpeakers(room: RoomState, nowMs: number): void {
  if (nowMs - room.speakersToldAtMs < tellEveryMs) return;
  const speaking = [...room.streams.values()]
    .map((stream) => ({ stream, level: loudness(stream) }))
    .filter(({ stream, level }) => level >= (room.speaking.has(stream.streamId) ? stopsSpeaking : startsSpeaking))
    .sort((a, b) => b.level - a.level)
    .slice(0, maxSpeakers);
  const told = speaking.map(({ stream }) => stream.streamId).join(" ");
  if (told === room.speakersTold) return;
  room.speakersTold = told;
  room.speakersToldAtMs = nowMs;
  room.speaking = new Set(speaking.map(({ stream }) => stream.streamId));
  const speakers = speaking.map(({ stream, level }) => ({
    streamId: stream.streamId,
    participantId: stream.owner.participantId,
    level,
  }));
  tell(room, followers(room), { case: "speakersChanged", value: { speakers } }, true);
}

/** Streams that can be heard, loudest first; the order of publishing decides between equals. */
export function audibleStreams(room: RoomState): StreamState[] {
  return [...room.streams.values()]
    .filter((stream) => stream.session !== undefined && hasAudio(stream))
    .map((stream) => ({ stream, level: loudness(stream) }))
    .sort((a, b) => b.level - a.level || a.stream.order - b.stream.order)
    .map(({ stream }) => stream);
}
