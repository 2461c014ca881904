import { create } from "@bufbuild/protobuf";
import { err, isValidName, ok, type Result } from "@parley/foundation";
import {
  MediaKind,
  SlotResultSchema,
  type BindSlots,
  type ErrorName,
  type SlotBinding,
  type SlotResult,
  type SpeakerPolicy,
} from "@parley/protocol";
import { tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { wireError } from "./outbox.ts";
import { bindSpeakers } from "./speakers.ts";
import { setDesire } from "./slots.ts";
import { streamOfDesire, tracksFor } from "./slot-queries.ts";
import type { Member, RoomState, SessionState, SlotState } from "./state.ts";

/** The client's command. Slots that are not named keep what they have. */
export function bindSlotsOf(
  room: RoomState,
  member: Member,
  request: BindSlots,
  nowMs: number,
): Result<SlotResult[], Refusal> {
  const refusal = bindingsRefusal(room, request.bindings, request.speakers);
  if (refusal !== undefined) return err(refusal);
  const session = member.sessions.get(request.session);
  if (session === undefined) return err({ name: "session-not-found" });
  return ok(bindSlots(room, session, request.bindings, request.speakers, nowMs));
}

/** Bindings are kept, and travel with every grant: their number and the length of their names are bounded. */
export function bindingsRefusal(
  { ports }: RoomState,
  bindings: readonly SlotBinding[],
  speakers: SpeakerPolicy | undefined,
): Refusal | undefined {
  const { maxNamedSections } = ports.limits;
  if (bindings.length > maxNamedSections || (speakers?.mids.length ?? 0) > maxNamedSections) {
    return { name: "too-many-slots", detail: "Too many bindings in one request." };
  }
  for (const { streamName, trackMid } of bindings) {
    if (streamName !== "" && !isValidName(streamName)) return { name: "bad-id", detail: "The stream's name." };
    if (trackMid !== "" && !isValidName(trackMid)) return { name: "bad-id", detail: "The track's mid." };
  }
  return undefined;
}

/** Sets what the named slots are to show; the results are of those slots, and of the ones the speaker policy moved. */
export function bindSlots(
  room: RoomState,
  session: SessionState,
  bindings: readonly SlotBinding[],
  speakers: SpeakerPolicy | undefined,
  nowMs: number,
): SlotResult[] {
  if (speakers !== undefined) setSpeakerMids(session, speakers);
  const results = new Map<string, SlotResult>();
  for (const binding of bindings) {
    const slot = session.slots.get(binding.mid);
    const error = slot === undefined ? "slot-not-found" : bindSlot(room, slot, binding);
    if (slot === undefined || error !== undefined) {
      results.set(binding.mid, refusedResult(binding.mid, binding.streamId, error ?? "slot-not-found"));
    } else results.set(binding.mid, slotResult(slot));
  }
  if (session.speakerMids.size > 0) bindSpeakers(room, session, nowMs);
  // What the caller is told in the answer needs no event.
  for (const { mid } of bindings) {
    const slot = session.slots.get(mid);
    if (slot !== undefined) room.rebound.delete(slot);
  }
  return [...results.values()];
}

function setSpeakerMids(session: SessionState, speakers: SpeakerPolicy): void {
  const audio = (mid: string): boolean => session.slots.get(mid)?.kind === MediaKind.AUDIO;
  session.speakerMids = new Set(speakers.enabled ? speakers.mids.filter(audio) : []);
}

function bindSlot(room: RoomState, slot: SlotState, binding: SlotBinding): ErrorName | undefined {
  if (binding.streamName !== "") {
    setDesire(room, slot, { type: "name", name: binding.streamName });
    return undefined;
  }
  if (binding.streamId === 0) {
    setDesire(room, slot, { type: "nothing" });
    return undefined;
  }
  const stream = room.streams.get(binding.streamId);
  if (stream === undefined) {
    setDesire(room, slot, { type: "nothing" });
    return "stream-not-found";
  }
  setDesire(room, slot, { type: "stream", stream, trackMid: binding.trackMid });
  if (binding.trackMid !== "" && stream.session !== undefined && tracksFor(slot, stream).length === 0) {
    setDesire(room, slot, { type: "nothing" });
    return stream.tracks.has(binding.trackMid) ? "wrong-kind" : "stream-not-found";
  }
  return undefined;
}

export function slotResults(session: SessionState): SlotResult[] {
  return [...session.slots.values()].map(slotResult);
}

/** What a slot is bound to, or why it is not. */
export function slotResult(slot: SlotState): SlotResult {
  if (slot.error !== undefined) {
    const wanted = slot.desired.type === "stream" ? slot.desired.stream.streamId : 0;
    return refusedResult(slot.mid, wanted, slot.error);
  }
  return create(SlotResultSchema, { mid: slot.mid, streamId: slot.effective?.stream.streamId ?? 0 });
}

function refusedResult(mid: string, streamId: number, name: ErrorName): SlotResult {
  return create(SlotResultSchema, { mid, streamId, error: wireError({ name }) });
}

/** Tells the owners of slots that came to show something else, or nothing, without having asked. */
export function tellRebound(room: RoomState): void {
  const bySession = new Map<SessionState, SlotState[]>();
  for (const slot of room.rebound) {
    if (slot.session.ended) continue;
    const slots = bySession.get(slot.session);
    if (slots === undefined) bySession.set(slot.session, [slot]);
    else slots.push(slot);
  }
  room.rebound.clear();
  for (const [session, slots] of bySession) {
    tell(room, [session.member], {
      case: "slotsChanged",
      value: { session: session.name, slots: slots.map(slotResult) },
    });
  }
}

/** The stream a slot is for, bound or not. */
export function wantedStreamId(room: RoomState, slot: SlotState): number {
  return streamOfDesire(room, slot.desired)?.streamId ?? 0;
}
