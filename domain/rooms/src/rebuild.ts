import { create, fromBinary } from "@bufbuild/protobuf";
import {
  GrantsSchema,
  PermissionsSchema,
  Role,
  SessionOwnerStateSchema,
  type OwnedStream,
  type SessionGrant,
  type SessionOwnerState,
} from "@parley/protocol";
import { replaceMap } from "./attributes.ts";
import { rememberSession } from "./remember.ts";
import { setDesire } from "./slots.ts";
import type { Member, RoomState, SessionState } from "./state.ts";

/** A grant that a media node holds, read. */
export interface HeldGrant {
  readonly nodeId: string;
  readonly grant: SessionGrant;
  readonly state: SessionOwnerState;
}

/** Undefined: it carries no state that we could read. */
export function readHeldGrant(grant: SessionGrant): HeldGrant | undefined {
  if (grant.closed || grant.ownerState.length === 0) return undefined;
  try {
    const state = fromBinary(SessionOwnerStateSchema, grant.ownerState);
    if (state.room === undefined || state.participant === undefined || state.nodeId === "") return undefined;
    return { nodeId: state.nodeId, grant, state };
  } catch {
    return undefined;
  }
}

/** Puts rooms together again: first everybody and what they publish, then what they watch. */
export function rebuildRooms(held: readonly HeldGrant[], roomFor: (held: HeldGrant) => RoomState, nowMs: number): void {
  const sessions: { readonly room: RoomState; readonly session: SessionState; readonly state: SessionOwnerState }[] =
    [];
  for (const one of [...held].sort((a, b) => Number(a.state.roomRevision - b.state.roomRevision))) {
    const room = roomFor(one);
    if (room.sessions.has(one.grant.sessionId)) continue;
    takeRoom(room, one.state);
    const session = takeSession(room, one, takeMember(room, one.state, nowMs));
    for (const stream of one.state.streams) takeStream(room, session, stream);
    sessions.push({ room, session, state: one.state });
  }
  for (const { room, session, state } of sessions) takeSlots(room, session, state);
}

/** Of what a room's sessions remember of it, the newest holds: they are taken in the order of its revisions. */
function takeRoom(room: RoomState, { room: info, bannedUserIds }: SessionOwnerState): void {
  if (info === undefined) return;
  room.locked = info.locked;
  room.lobbyEnabled = info.lobbyEnabled;
  replaceMap(room.attributes, new Map(Object.entries(info.attributes)));
  for (const userId of bannedUserIds) room.bannedUsers.add(userId);
}

function takeMember(room: RoomState, state: SessionOwnerState, nowMs: number): Member {
  const { participant, connectionId } = state;
  const there = room.byConnection.get(connectionId);
  if (there !== undefined) return there;
  const member: Member = {
    participantId: participant?.participantId ?? connectionId,
    connectionId,
    userId: participant?.userId ?? "",
    name: participant?.name ?? "",
    role: participant?.role ?? Role.VIEWER,
    permissions: participant?.permissions ?? create(PermissionsSchema),
    attributes: new Map(Object.entries(participant?.attributes ?? {})),
    joinedAtUnixMs: Number(participant?.joinedAtUnixMs ?? 0n),
    handRaised: participant?.handRaised ?? false,
    waiting: false,
    leaveWithSession: state.leaveWithSession,
    watchesOnly: state.leaveWithSession && state.streams.length === 0,
    grants: state.grants ?? create(GrantsSchema),
    localIp: state.localIp,
    expiresAtUnixMs: Number(state.tokenExpiresAtUnixMs),
    sessions: new Map(),
    seenAtMs: nowMs,
    announcement: undefined,
    arrivedBy: undefined,
    dataCredit: 0,
    dataCreditAtMs: nowMs,
    quality: 0,
    knowsQualities: false,
  };
  room.members.set(member.participantId, member);
  room.byConnection.set(connectionId, member);
  room.nextLapseAtMs = 0;
  return member;
}

function takeSession(room: RoomState, { nodeId, grant, state }: HeldGrant, member: Member): SessionState {
  const session: SessionState = {
    sessionId: grant.sessionId,
    name: state.session,
    member,
    nodeId,
    nodeBootId: grant.nodeBootId,
    grant,
    memory: state.negotiation,
    slots: new Map(),
    ownerHeadBytes: 0,
    codecSets: new Map(),
    connected: false,
    path: undefined,
    speakerMids: new Set(state.speakerMids),
    ended: false,
  };
  room.sessions.set(session.sessionId, session);
  member.sessions.set(session.name, session);
  // A revision of our own tells the node that somebody cares again.
  rememberSession(room, session);
  return session;
}

function takeStream(room: RoomState, session: SessionState, owned: OwnedStream): void {
  const { stream, exclusiveName, order } = owned;
  if (stream === undefined || room.streams.has(stream.streamId)) return;
  room.order = Math.max(room.order, Number(order) + 1);
  room.streams.set(stream.streamId, {
    streamId: stream.streamId,
    owner: session.member,
    name: stream.name,
    exclusive: exclusiveName,
    attributes: new Map(Object.entries(stream.attributes)),
    tracks: new Map(
      stream.tracks.map(({ mid, kind, source, muted, width, height, backupOf }) => [
        mid,
        {
          mid,
          kind,
          source,
          muted,
          width,
          height,
          backupOf,
          order: room.order++,
          live: false,
          codec: 0,
          payloadType: 0,
          audioLevel: 0,
        },
      ]),
    ),
    session,
    orphanedAtMs: 0,
    order: Number(order),
    speaking: false,
    spokeAtMs: 0,
    speechLevel: 0,
    wantedBy: new Set(),
    backups: new Map(),
  });
}

function takeSlots(room: RoomState, session: SessionState, state: SessionOwnerState): void {
  for (const { mid, kind } of session.grant.slots) {
    const owned = state.slots.find(({ binding }) => binding?.mid === mid);
    session.slots.set(mid, {
      session,
      mid,
      kind,
      pair: owned?.pair ?? 0,
      desired: { type: "nothing" },
      remembered: undefined,
      effective: undefined,
      error: undefined,
      backup: undefined,
      boundAtMs: 0,
    });
  }
  for (const { binding } of state.slots) {
    const slot = binding === undefined ? undefined : session.slots.get(binding.mid);
    if (binding === undefined || slot === undefined) continue;
    const stream = room.streams.get(binding.streamId);
    if (binding.streamName !== "") setDesire(room, slot, { type: "name", name: binding.streamName });
    else if (stream !== undefined) setDesire(room, slot, { type: "stream", stream, trackMid: binding.trackMid });
  }
}
