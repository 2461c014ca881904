import {
  errorTable,
  LeaveReason as WireLeaveReason,
  Quality,
  Role as WireRole,
  RoomKind as WireRoomKind,
  Source,
  TrackKind as WireTrackKind,
  type ErrorName,
  type Permissions as WirePermissions,
  type RoomInfo as WireRoomInfo,
} from "@parley/protocol";
import { ParleyError } from "../api/error.ts";
import type {
  ConnectionQuality,
  LeaveReason,
  Permissions,
  Role,
  RoomInfo,
  RoomKind,
  TrackKind,
  TrackSource,
} from "../api/values.ts";

/** Between the numbers of the wire and the words of the API. What a newer server may send is taken as the most harmless word. */

const sources: Readonly<Record<TrackSource, Source>> = {
  camera: Source.CAMERA,
  microphone: Source.MICROPHONE,
  screen: Source.SCREEN,
  "screen-audio": Source.SCREEN_AUDIO,
  custom: Source.CUSTOM,
};
const roles: Readonly<Record<Role, WireRole>> = {
  host: WireRole.HOST,
  speaker: WireRole.SPEAKER,
  viewer: WireRole.VIEWER,
};
const kinds: Readonly<Record<RoomKind, WireRoomKind>> = {
  "one-to-one": WireRoomKind.ONE_TO_ONE,
  conference: WireRoomKind.CONFERENCE,
  "live-class": WireRoomKind.LIVE_CLASS,
};
const qualities: Readonly<Record<Exclude<ConnectionQuality, "unknown">, Quality>> = {
  good: Quality.GOOD,
  fair: Quality.FAIR,
  poor: Quality.POOR,
  lost: Quality.LOST,
};
const leaveReasons: Readonly<Record<LeaveReason, WireLeaveReason>> = {
  left: WireLeaveReason.LEFT,
  removed: WireLeaveReason.REMOVED,
  "connection-lost": WireLeaveReason.CONNECTION_LOST,
  moved: WireLeaveReason.MOVED,
  "room-closed": WireLeaveReason.ROOM_CLOSED,
};

function wordOf<Word extends string, Value>(words: Readonly<Record<Word, Value>>, value: Value): Word | undefined {
  return (Object.keys(words) as Word[]).find((word) => words[word] === value);
}

export const sourceToWire = (source: TrackSource): Source => sources[source];
export const sourceFromWire = (source: Source): TrackSource => wordOf(sources, source) ?? "custom";
export const roleToWire = (role: Role): WireRole => roles[role];
export const roleFromWire = (role: WireRole): Role => wordOf(roles, role) ?? "viewer";
export const kindToWire = (kind: RoomKind): WireRoomKind => kinds[kind];
export const qualityFromWire = (quality: Quality): ConnectionQuality => wordOf(qualities, quality) ?? "unknown";
export function leaveReasonFromWire(reason: WireLeaveReason): LeaveReason {
  // To those who stay, these are all the same: somebody is gone without having said so.
  const vanished = reason === WireLeaveReason.SESSION_ENDED || reason === WireLeaveReason.TOKEN_EXPIRED;
  return vanished ? "connection-lost" : (wordOf(leaveReasons, reason) ?? "left");
}
export const trackKindFromWire = (kind: WireTrackKind): TrackKind => (kind === WireTrackKind.AUDIO ? "audio" : "video");

export function permissionsFromWire(permissions: WirePermissions | undefined): Permissions {
  return {
    subscribe: permissions?.subscribe ?? false,
    publish: permissions?.publish ?? false,
    publishSources: (permissions?.publishSources ?? []).map(sourceFromWire),
    publishData: permissions?.publishData ?? false,
    moderate: permissions?.moderate ?? false,
    hidden: permissions?.hidden ?? false,
  };
}

export function permissionsToWire(permissions: Permissions): Omit<WirePermissions, "$typeName" | "$unknown"> {
  return { ...permissions, publishSources: permissions.publishSources.map(sourceToWire) };
}

export function roomInfoFromWire(info: WireRoomInfo): RoomInfo {
  return {
    id: info.roomId,
    kind: wordOf(kinds, info.kind) ?? "conference",
    attributes: info.attributes,
    lobbyEnabled: info.lobbyEnabled,
    locked: info.locked,
    participantCount: info.participantCount,
    createdAtUnixMs: Number(info.createdAtUnixMs),
  };
}

/** An error of the server's table that was told by an event of its own, without the error itself. */
export function tableError(name: ErrorName): ParleyError {
  const { number, retry, text } = errorTable[name];
  return new ParleyError(name, { number, message: text, retryable: retry === "later" || retry === "changed" });
}
