import type { MediaKind, Publish, Source, TrackKind } from "@parley/protocol";
import { err, ok, type Result } from "@parley/foundation";
import { broadcastChange } from "./audience.ts";
import type { Refusal } from "./io.ts";
import { rememberLater } from "./remember.ts";
import { streamOf } from "./snapshot.ts";
import type { Member, RoomState, SessionState, StreamState } from "./state.ts";
import { attributesFit } from "./attributes.ts";
import { releaseSlots, resolveSlotsOf } from "./slots.ts";

/** A stream of a session that is being opened: what is there already, or what is made once the negotiation has succeeded. */
export interface PlannedStream {
  readonly streamId: number;
  readonly name: string;
  readonly exclusive: boolean;
  readonly attributes: ReadonlyMap<string, string>;
  readonly existing: StreamState | undefined;
  /** Somebody's stream that has to go because this one takes its name. */
  readonly replaces: StreamState | undefined;
}

/** Finds or plans the stream that a section publishes to. `session`: the one that is updated, if any. */
export function planStream(
  room: RoomState,
  member: Member,
  publish: Publish,
  session: SessionState | undefined,
): Result<PlannedStream, Refusal> {
  const existing = [...room.streams.values()].find(
    (stream) => stream.owner === member && stream.name === publish.stream,
  );
  if (existing !== undefined && existing.session !== undefined && existing.session !== session) {
    return err({ name: "stream-in-use", detail: "Another session of yours publishes it." });
  }
  const replaces = publish.exclusiveName ? sameName(room, member, publish.stream) : undefined;
  if (replaces !== undefined && replaces.owner.userId !== member.userId && isAlive(replaces)) {
    return err({ name: "stream-in-use" });
  }
  const attributes = new Map([...(existing?.attributes ?? []), ...Object.entries(publish.streamAttributes)]);
  if (!attributesFit(attributes, room.ports.limits)) return err({ name: "attributes-too-large" });
  return ok({
    streamId: existing?.streamId ?? newStreamId(room),
    name: publish.stream,
    exclusive: publish.exclusiveName,
    attributes,
    existing,
    replaces,
  });
}

function sameName(room: RoomState, member: Member, name: string): StreamState | undefined {
  return [...room.streams.values()].find(
    (stream) => stream.exclusive && stream.name === name && stream.owner !== member,
  );
}

/** A publisher that never connected, or sends nothing any more, does not hold its name against another user. */
function isAlive(stream: StreamState): boolean {
  return stream.session?.connected === true && [...stream.tracks.values()].some((track) => track.live);
}

function newStreamId(room: RoomState): number {
  for (;;) {
    const streamId = room.ports.random.uint32();
    if (streamId !== 0 && !room.streams.has(streamId)) return streamId;
  }
}

export function countStreams(room: RoomState, member: Member): number {
  let count = 0;
  for (const stream of room.streams.values()) if (stream.owner === member) count += 1;
  return count;
}

/** One track a negotiation has accepted. */
export interface AcceptedTrack {
  readonly mid: string;
  readonly kind: MediaKind;
  readonly source: Source;
  readonly muted: boolean;
  readonly width: number;
  readonly height: number;
  /** Mid of another of these; else empty. */
  readonly backupOf: string;
}

/** Puts the tracks that `session` now publishes to a planned stream; tells everybody. */
export function publishTracks(
  room: RoomState,
  session: SessionState,
  plan: PlannedStream,
  accepted: readonly AcceptedTrack[],
): void {
  let stream = plan.existing ?? room.streams.get(plan.streamId);
  const isNew = stream === undefined;
  if (stream === undefined) {
    stream = {
      streamId: plan.streamId,
      owner: session.member,
      name: plan.name,
      exclusive: plan.exclusive,
      attributes: new Map(),
      tracks: new Map(),
      session,
      orphanedAtMs: 0,
      order: room.order++,
      speaking: false,
      spokeAtMs: 0,
      speechLevel: 0,
      wantedBy: new Set(),
      backups: new Map(),
    };
    room.streams.set(stream.streamId, stream);
  }
  for (const [key, value] of plan.attributes) stream.attributes.set(key, value);
  stream.session = session;
  rememberLater([session]);
  for (const track of accepted) {
    const before = stream.tracks.get(track.mid);
    stream.tracks.set(track.mid, {
      ...track,
      kind: track.kind as number as TrackKind,
      order: before?.order ?? room.order++,
      live: before?.live ?? false,
      codec: before?.codec ?? 0,
      payloadType: before?.payloadType ?? 0,
      audioLevel: 0,
    });
  }
  broadcastChange(
    room,
    isNew
      ? { case: "streamPublished", value: { stream: streamOf(stream) } }
      : { case: "streamUpdated", value: { stream: streamOf(stream) } },
  );
  resolveSlotsOf(room, stream);
}

export function announceStream(room: RoomState, stream: StreamState): void {
  if (stream.session !== undefined) rememberLater([stream.session]);
  broadcastChange(room, { case: "streamUpdated", value: { stream: streamOf(stream) } });
}

/** Takes tracks away; a stream without tracks ends. */
export function unpublishTracks(room: RoomState, stream: StreamState, mids: Iterable<string>): void {
  for (const mid of mids) stream.tracks.delete(mid);
  if (stream.tracks.size === 0) endStream(room, stream);
  else {
    announceStream(room, stream);
    resolveSlotsOf(room, stream);
  }
}

export function endStream(room: RoomState, stream: StreamState): void {
  if (!room.streams.delete(stream.streamId)) return;
  if (stream.session !== undefined) rememberLater([stream.session]);
  broadcastChange(room, { case: "streamUnpublished", value: { streamId: stream.streamId } });
  releaseSlots(room, stream);
}

/** The publisher's session ended but the publisher may come back: the stream keeps its id and its slots. */
export function orphanStream(room: RoomState, stream: StreamState, nowMs: number): void {
  stream.session = undefined;
  stream.orphanedAtMs = nowMs;
  stream.tracks.clear();
  announceStream(room, stream);
  resolveSlotsOf(room, stream);
}

export function endOrphans(room: RoomState, nowMs: number): void {
  for (const stream of [...room.streams.values()]) {
    if (stream.session !== undefined) continue;
    if (nowMs - stream.orphanedAtMs >= room.ports.limits.orphanedStreamMs) endStream(room, stream);
  }
}
