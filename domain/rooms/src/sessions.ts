import { clone, create } from "@bufbuild/protobuf";
import { err, ok, randomId, type Result } from "@parley/foundation";
import {
  IceParametersSchema,
  IceRestartedSchema,
  SessionAnswerSchema,
  SessionGrantSchema,
  type CloseSession,
  type IceRestarted,
  type OpenSession,
  type RestartIce,
  type SessionAnswer,
  type UpdateSession,
} from "@parley/protocol";
import { bindingsRefusal, bindSlots, slotResults } from "./bindings.ts";
import type { Refusal } from "./io.ts";
import { wireError } from "./outbox.ts";
import type { NegotiatedSession } from "./ports.ts";
import { removeMember } from "./membership.ts";
import { planSections, type SectionPlan } from "./section-plan.ts";
import { rememberSession } from "./remember.ts";
import { endSession } from "./session-end.ts";
import { dropSlot, resolveSlotsOf } from "./slots.ts";
import type { Member, RoomState, SessionState, SlotState } from "./state.ts";
import { endStream, publishTracks, unpublishTracks, type PlannedStream } from "./streams.ts";

/** A client's own name of a session: short, it is only ever compared. */
const maxSessionNameLength = 64;

/** Answers an offer for a new session. An open one of the same name is replaced: the client made a new PeerConnection. */
export function openSession(
  room: RoomState,
  member: Member,
  request: OpenSession,
  nowMs: number,
): Result<SessionAnswer, Refusal> {
  if (request.session.length === 0 || request.session.length > maxSessionNameLength) {
    return err({ name: "bad-request", detail: "The session's name is empty or too long." });
  }
  const wrong = bindingsRefusal(room, request.bindings, request.speakers);
  if (wrong !== undefined) return err(wrong);
  const before = member.sessions.get(request.session);
  if (before === undefined && member.sessions.size >= room.ports.limits.maxSessionsPerParticipant) {
    return err({ name: "too-many-sessions", detail: "Close another session of yours first." });
  }
  const plan = planSections(room, member, request.sections, before, new Map());
  if (!plan.ok) return plan;
  const refusal = onlyRefusal(plan.value);
  if (refusal !== undefined) return err(refusal);

  const sessionId = randomId(room.ports.random);
  const negotiated = room.ports.negotiator.open({
    sessionId,
    offerSdp: request.offerSdp,
    sections: plan.value.uses,
    localIp: member.localIp,
    preferredNodes: presentNodes(room),
  });
  if (!negotiated.ok) return err(negotiated.error);

  // From here on nothing fails: the state may change.
  const inherited = [...room.streams.values()].filter((stream) => before !== undefined && stream.session === before);
  if (before !== undefined) endSession(room, before, nowMs, "replaced");
  replaceOthers(room, plan.value, nowMs);
  const session: SessionState = {
    sessionId,
    name: request.session,
    member,
    nodeId: negotiated.value.nodeId,
    nodeBootId: negotiated.value.nodeBootId,
    grant: create(SessionGrantSchema, {
      appId: room.appId,
      roomId: room.roomId,
      sessionId,
      nodeBootId: negotiated.value.nodeBootId,
    }),
    memory: negotiated.value.memory,
    slots: new Map(),
    ownerHeadBytes: 0,
    codecSets: new Map(),
    connected: false,
    path: undefined,
    speakerMids: new Set(),
    ended: false,
  };
  room.sessions.set(sessionId, session);
  member.sessions.set(session.name, session);
  takeNegotiated(room, session, plan.value, negotiated.value);
  for (const stream of inherited) if (stream.session === undefined) endStream(room, stream);
  bindSlots(room, session, request.bindings, request.speakers, nowMs);
  return ok(answerOf(session, plan.value, negotiated.value.answerSdp));
}

/** Another offer of an open session. */
export function updateSession(room: RoomState, member: Member, request: UpdateSession): Result<SessionAnswer, Refusal> {
  const session = member.sessions.get(request.session);
  if (session === undefined) return err({ name: "session-not-found" });
  const plan = planSections(room, member, request.sections, session, session.slots);
  if (!plan.ok) return plan;
  const negotiated = room.ports.negotiator.update({
    offerSdp: request.offerSdp,
    sections: plan.value.uses,
    localIp: member.localIp,
    nodeId: session.nodeId,
    memory: session.memory,
    grant: session.grant,
  });
  if (!negotiated.ok) return err(negotiated.error);
  takeNegotiated(room, session, plan.value, negotiated.value);
  return ok(answerOf(session, plan.value, negotiated.value.answerSdp));
}

export function closeSession(
  room: RoomState,
  member: Member,
  request: CloseSession,
  nowMs: number,
): Result<undefined, Refusal> {
  const session = member.sessions.get(request.session);
  // Closing twice is closing once.
  if (session !== undefined) endSession(room, session, nowMs, "closed");
  return ok(undefined);
}

/** New credentials without an offer (RFC 9725 section 4.3.2). */
export function restartIce(room: RoomState, member: Member, request: RestartIce): Result<IceRestarted, Refusal> {
  const session = member.sessions.get(request.session);
  if (session === undefined) return err({ name: "session-not-found" });
  if (!isIceUfrag(request.iceUfrag) || !isIcePassword(request.icePassword)) {
    return err({ name: "bad-request", detail: "The ICE credentials." });
  }
  const ice = room.ports.negotiator.restartIce(session.grant, {
    ufrag: request.iceUfrag,
    password: request.icePassword,
  });
  const grant = clone(SessionGrantSchema, session.grant);
  grant.ice = create(IceParametersSchema, ice);
  session.grant = grant;
  rememberSession(room, session);
  return ok(
    create(IceRestartedSchema, {
      iceUfrag: session.grant.ice?.localUfrag ?? "",
      icePassword: session.grant.ice?.localPassword ?? "",
    }),
  );
}

/** RFC 8839 5.4: ice-char, 4 to 256 of them. What comes in an offer is checked by its reader. */
function isIceUfrag(text: string): boolean {
  return /^[A-Za-z0-9+/]{4,256}$/.test(text);
}

/** RFC 8839 5.4: 22 to 256. */
function isIcePassword(text: string): boolean {
  return /^[A-Za-z0-9+/]{22,256}$/.test(text);
}

/** Looking at a few is enough: rooms stay together on a node while it has room. */
const sessionsLookedAt = 16;

function presentNodes(room: RoomState): Set<string> {
  const nodes = new Set<string>();
  let left = sessionsLookedAt;
  for (const { nodeId } of room.sessions.values()) {
    if (left === 0) break;
    nodes.add(nodeId);
    left -= 1;
  }
  return nodes;
}

/** An offer of which nothing may be is refused as a whole, with the first reason. */
function onlyRefusal(plan: SectionPlan): Refusal | undefined {
  if (plan.uses.size > 0) return undefined;
  const [first] = plan.refused.values();
  return first ?? { name: "section-not-found", detail: "No section is named." };
}

/** Exclusive names: the older stream goes, with its participant when that is all there is of it. */
function replaceOthers(room: RoomState, plan: SectionPlan, nowMs: number): void {
  for (const { replaces } of plan.streams.values()) {
    if (replaces === undefined || !room.streams.has(replaces.streamId)) continue;
    if (replaces.owner.leaveWithSession) removeMember(room, replaces.owner, nowMs, "replaced");
    else unpublishTracks(room, replaces, [...replaces.tracks.keys()]);
  }
}

/** Brings slots and streams in line with what was negotiated. */
function takeNegotiated(
  room: RoomState,
  session: SessionState,
  plan: SectionPlan,
  negotiated: NegotiatedSession,
): void {
  session.memory = negotiated.memory;
  const { appId, roomId, sessionId, nodeBootId, revision } = session.grant;
  session.grant = create(SessionGrantSchema, { appId, roomId, sessionId, nodeBootId, revision, ...negotiated.parts });
  rememberSession(room, session);
  session.codecSets.clear();
  takeSlots(room, session, plan);
  takePublished(room, session, plan);
}

function takeSlots(room: RoomState, session: SessionState, plan: SectionPlan): void {
  const granted = new Set(session.grant.slots.map(({ mid }) => mid));
  for (const slot of session.slots.values()) {
    if (granted.has(slot.mid)) continue;
    dropSlot(room, slot);
    session.slots.delete(slot.mid);
  }
  for (const { mid, kind } of session.grant.slots) {
    if (session.slots.has(mid)) continue;
    const slot: SlotState = {
      session,
      mid,
      kind,
      pair: plan.received.get(mid) ?? 0,
      desired: { type: "nothing" },
      remembered: undefined,
      effective: undefined,
      error: undefined,
      backup: undefined,
      boundAtMs: 0,
    };
    session.slots.set(mid, slot);
  }
}

function takePublished(room: RoomState, session: SessionState, plan: SectionPlan): void {
  const received = new Map(session.grant.receives.map((receive) => [receive.mid, receive]));
  for (const stream of [...room.streams.values()]) {
    if (stream.session !== session) continue;
    const gone = [...stream.tracks.keys()].filter((mid) => received.get(mid)?.streamId !== stream.streamId);
    if (gone.length > 0) unpublishTracks(room, stream, gone);
    else resolveSlotsOf(room, stream);
  }
  for (const planned of plan.streams.values()) {
    const accepted = [...plan.published].flatMap(([mid, { section, stream }]) => {
      const receive = received.get(mid);
      if (stream !== planned || receive === undefined) return [];
      const { source, muted, width, height, backupOf } = section.value;
      // Only of what is there, so that what others are told makes sense.
      const original = plan.published.get(backupOf)?.stream === planned && backupOf !== mid ? backupOf : "";
      return [{ mid, kind: receive.kind, source, muted, width, height, backupOf: original }];
    });
    if (accepted.length > 0) publishTracks(room, session, aliveOrNew(room, planned), accepted);
  }
}

/** A stream that ended meanwhile (the session that had it was replaced in this very call) is made anew under its id. */
function aliveOrNew(room: RoomState, planned: PlannedStream): PlannedStream {
  if (planned.existing === undefined || room.streams.has(planned.existing.streamId)) return planned;
  return { ...planned, existing: undefined };
}

function answerOf(session: SessionState, plan: SectionPlan, answerSdp: string): SessionAnswer {
  const received = new Set(session.grant.receives.map(({ mid }) => mid));
  const slots = new Set(session.grant.slots.map(({ mid }) => mid));
  const refused = [...plan.refused].map(([mid, refusal]) => ({ mid, error: wireError(refusal) }));
  for (const mid of plan.uses.keys()) {
    if (!received.has(mid) && !slots.has(mid)) refused.push({ mid, error: wireError({ name: "no-common-codec" }) });
  }
  return create(SessionAnswerSchema, {
    session: session.name,
    answerSdp,
    published: [...plan.streams.values()].map(({ name, streamId }) => ({ name, streamId })),
    refused,
    slots: slotResults(session),
  });
}
