import { MediaKind } from "@parley/protocol";
import { audibleStreams } from "./loudness.ts";
import { setDesire } from "./slots.ts";
import type { RoomState, SessionState, SlotState, StreamState } from "./state.ts";

/** Who speaks keeps a slot for so long at least against somebody louder: half a word of each is worse than nothing. */
const holdMs = 2_000;
/** Louder by this (dB) than the quietest one who speaks: about twice as loud to the ear, and beyond what smoothing lets through as noise. */
const marginDb = 8;
/** Without anybody beginning or ending: for those who have had their time while others became louder. */
const rebindEveryMs = 500;

/** Binds the audio slots of every session that left it to us: at once when somebody began or stopped speaking (`atOnce`), else now and then. */
export function bindAllSpeakers(room: RoomState, nowMs: number, atOnce: boolean): void {
  if (!atOnce && nowMs - room.speakersBoundAtMs < rebindEveryMs) return;
  room.speakersBoundAtMs = nowMs;
  let audible: StreamState[] | undefined;
  for (const session of room.sessions.values()) {
    if (session.speakerMids.size === 0) continue;
    audible ??= audibleStreams(room);
    bind(room, session, audible, nowMs);
  }
}

/** Binds the audio slots that the session left to us: first the sound of the pictures it shows, then the loudest of the others. */
export function bindSpeakers(room: RoomState, session: SessionState, nowMs: number): void {
  bind(room, session, audibleStreams(room), nowMs);
}

function bind(room: RoomState, session: SessionState, audible: readonly StreamState[], nowMs: number): void {
  const slots = [...session.slots.values()].filter((slot) => session.speakerMids.has(slot.mid));
  const candidates = audible.filter((stream) => stream.owner !== session.member);
  const placed = bindPairs(room, session, slots, candidates, nowMs);
  const taken = new Set(placed.values());
  // A stream that its picture took away leaves the slot it had.
  const free = slots.filter((slot) => !placed.has(slot));
  for (const slot of free) {
    const stream = boundStream(slot);
    if (stream !== undefined && (taken.has(stream) || !candidates.includes(stream))) show(room, slot, undefined, nowMs);
  }
  const others = candidates.filter((stream) => !taken.has(stream));
  fill(room, free, others, nowMs);
  displace(room, free, others, nowMs);
}

/** Lips and voice stay together: the slot beside a picture has the sound of that picture's stream. */
function bindPairs(
  room: RoomState,
  session: SessionState,
  slots: readonly SlotState[],
  candidates: readonly StreamState[],
  nowMs: number,
): Map<SlotState, StreamState> {
  const placed = new Map<SlotState, StreamState>();
  for (const slot of slots) {
    const picture = [...session.slots.values()].find(
      (other) => other.kind === MediaKind.VIDEO && other.pair === slot.pair,
    );
    const stream = picture?.effective?.stream;
    if (stream === undefined || !candidates.includes(stream)) continue;
    placed.set(slot, stream);
    show(room, slot, stream, nowMs);
  }
  return placed;
}

/** Free slots take whoever is left, also the silent: their first word is then heard at once. */
function fill(room: RoomState, slots: readonly SlotState[], others: readonly StreamState[], nowMs: number): void {
  const bound = new Set(slots.map(boundStream));
  const waiting = others.filter((stream) => !bound.has(stream));
  for (const slot of slots) {
    if (boundStream(slot) !== undefined) continue;
    const next = waiting.shift();
    if (next === undefined) return;
    show(room, slot, next, nowMs);
  }
}

/**
 * Who speaks and has no slot takes one at once from somebody silent, the longest silent first. So nobody who speaks is unheard while fewer speak
 * than there are slots. When all the others speak too, the quietest goes, if quieter by a margin and after its time.
 */
function displace(room: RoomState, slots: readonly SlotState[], others: readonly StreamState[], nowMs: number): void {
  const bound = new Set(slots.map(boundStream));
  for (const challenger of others) {
    if (bound.has(challenger) || !challenger.speaking) continue;
    const slot = longestSilent(slots) ?? quietest(slots, challenger.speechLevel - marginDb, nowMs);
    if (slot === undefined) return;
    show(room, slot, challenger, nowMs);
  }
}

function longestSilent(slots: readonly SlotState[]): SlotState | undefined {
  const silent = slots.filter((slot) => boundStream(slot)?.speaking === false);
  return silent.sort((a, b) => (boundStream(a)?.spokeAtMs ?? 0) - (boundStream(b)?.spokeAtMs ?? 0))[0];
}

function quietest(slots: readonly SlotState[], below: number, nowMs: number): SlotState | undefined {
  const mayGo = slots.filter((slot) => nowMs - slot.boundAtMs >= holdMs && levelOf(slot) <= below);
  return mayGo.sort((a, b) => levelOf(a) - levelOf(b))[0];
}

function levelOf(slot: SlotState): number {
  return boundStream(slot)?.speechLevel ?? 0;
}

function boundStream(slot: SlotState): StreamState | undefined {
  return slot.desired.type === "stream" ? slot.desired.stream : undefined;
}

function show(room: RoomState, slot: SlotState, stream: StreamState | undefined, nowMs: number): void {
  if (boundStream(slot) === stream) return;
  slot.boundAtMs = nowMs;
  setDesire(room, slot, stream === undefined ? { type: "nothing" } : { type: "stream", stream, trackMid: "" });
}
