import type {
  Codec,
  CodecParameters,
  ErrorName,
  Grants,
  MediaKind,
  Permissions,
  Quality,
  Role,
  RoomKind,
  SessionGrant,
  Source,
  SpeakersChanged,
  TrackKind,
} from "@parley/protocol";
import type { CodecSet, Forwardable } from "./codec-sets.ts";
import type { PathQuality } from "./connection-quality.ts";
import type { Echo } from "./echo.ts";
import type { RoomPorts } from "./ports.ts";
import type { Announcement } from "./presence.ts";
import type { Outbox } from "./outbox.ts";

/** One room. Only the modules beside this one change it, within one call of `handle`. */
export interface RoomState {
  readonly ports: RoomPorts;
  readonly out: Outbox;
  readonly appId: string;
  readonly roomId: string;
  readonly kind: RoomKind;
  readonly createdAtUnixMs: number;
  readonly attributes: Map<string, string>;
  lobbyEnabled: boolean;
  locked: boolean;
  revision: bigint;
  /** Members and those who wait in the lobby, by participant id. */
  readonly members: Map<string, Member>;
  readonly byConnection: Map<string, Member>;
  /** Before that nobody can be silent for too long, and no token ends. */
  nextLapseAtMs: number;
  readonly streams: Map<number, StreamState>;
  readonly sessions: Map<string, SessionState>;
  /** Slots that want a stream by its name (WHEP). */
  readonly slotsByName: Map<string, Set<SlotState>>;
  /** Sessions whose desired state changed in this call. */
  readonly dirty: Set<SessionState>;
  /** Sessions whose effective slots changed in this call: their owner is told. */
  readonly rebound: Set<SlotState>;
  readonly backupsChanged: Set<StreamState>;
  readonly forwardable: Forwardable;
  readonly bannedUsers: Set<string>;
  /** The last count that was told to everybody. */
  toldCount: number;
  countedAtMs: number;
  /** Of what only hosts are told. */
  lobbyRevision: bigint;
  /** What was done so that nobody misses the last change. */
  readonly echoes: { room: Echo; lobby: Echo; speakers: Echo };
  qualityToldAtMs: number;
  speakersToldAtMs: number;
  /** What was told last, loudest first. */
  speakersTold: SpeakersChanged;
  speakersBoundAtMs: number;
  order: number;
}

export interface Member {
  readonly participantId: string;
  readonly connectionId: string;
  readonly userId: string;
  name: string;
  role: Role;
  permissions: Permissions;
  readonly attributes: Map<string, string>;
  readonly joinedAtUnixMs: number;
  handRaised: boolean;
  /** Waits for admission: sees and is nothing in the room. */
  waiting: boolean;
  readonly leaveWithSession: boolean;
  /** Only watches, over WHEP: counted, not listed. */
  readonly watchesOnly: boolean;
  grants: Grants;
  localIp: string;
  expiresAtUnixMs: number;
  readonly sessions: Map<string, SessionState>;
  /** It did something itself. */
  seenAtMs: number;
  /** The one that named it last. */
  announcement: Announcement | undefined;
  /** The transfer that brought it, until the room it comes from is known to have let it go. */
  arrivedBy: string | undefined;
  dataCredit: number;
  dataCreditAtMs: number;
  /** As it was told last. */
  quality: Quality;
  /** Has been told how everybody is connected, and hears of changes. */
  knowsQualities: boolean;
}

export interface StreamState {
  readonly streamId: number;
  owner: Member;
  readonly name: string;
  readonly exclusive: boolean;
  readonly attributes: Map<string, string>;
  /** By mid. All tracks of a stream are in one session. */
  readonly tracks: Map<string, TrackState>;
  /** Undefined while the publisher is between two sessions. */
  session: SessionState | undefined;
  orphanedAtMs: number;
  readonly order: number;
  /** Its speech, by loudness.ts. */
  speaking: boolean;
  /** When it was loud enough to count as speech last. */
  spokeAtMs: number;
  /** How loud that was: pauses between words do not count. */
  speechLevel: number;
  /** Slots that want this stream by its id. */
  readonly wantedBy: Set<SlotState>;
  /** Codecs that somebody needs instead of what is published, and whether the publisher was asked: see backup-codecs.ts. */
  readonly backups: Map<string, { readonly mid: string; readonly codec: string; slots: number; asked: boolean }>;
}

export interface TrackState {
  readonly mid: string;
  readonly kind: TrackKind;
  readonly source: Source;
  readonly order: number;
  /** Mid of the track that this one repeats in another codec; else empty. */
  readonly backupOf: string;
  width: number;
  height: number;
  muted: boolean;
  live: boolean;
  codec: Codec;
  payloadType: number;
  /** 0 to 127, as the node smoothed it; 0 for pictures. */
  audioLevel: number;
}

export interface SessionState {
  readonly sessionId: string;
  /** The client's own id of it. */
  readonly name: string;
  readonly member: Member;
  readonly nodeId: string;
  readonly nodeBootId: bigint;
  /** The desired state as it was published last. */
  grant: SessionGrant;
  /** What the negotiator wants to see again at the next offer. */
  memory: Uint8Array;
  /** Bytes of the grant's owner state that say everything but the slots; 0: some of that has changed since (see remember.ts). */
  ownerHeadBytes: number;
  /** By payload types; of the present grant. */
  readonly codecSets: Map<string, CodecSet>;
  readonly slots: Map<string, SlotState>;
  connected: boolean;
  path: PathQuality | undefined;
  speakerMids: ReadonlySet<string>;
  ended: boolean;
}

export interface SlotState {
  readonly session: SessionState;
  readonly mid: string;
  readonly kind: MediaKind;
  readonly pair: number;
  desired: SlotDesire;
  /** What the grant's owner state says of that. */
  remembered: SlotDesire | undefined;
  /** What the node is told to send. */
  effective: { readonly stream: StreamState; readonly track: TrackState; readonly session: SessionState } | undefined;
  error: ErrorName | undefined;
  backup: BackupNeed | undefined;
  /** When the speaker policy bound it, for the hysteresis. */
  boundAtMs: number;
}

export interface BackupNeed {
  readonly stream: StreamState;
  /** The track and the codec. */
  readonly key: string;
  readonly mid: string;
  readonly codec: string;
}

export type SlotDesire =
  | { readonly type: "nothing" }
  | { readonly type: "stream"; readonly stream: StreamState; readonly trackMid: string }
  | { readonly type: "name"; readonly name: string };

/** The codecs a grant has for these payload types. */
export function codecsOf(grant: SessionGrant, payloadTypes: readonly number[]): CodecParameters[] {
  return grant.codecs.filter((codec) => payloadTypes.includes(codec.payloadType));
}
