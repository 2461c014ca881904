import type { ParleyError } from "./error.ts";
import type {
  LocalTrackPublication,
  Participant,
  RemoteParticipant,
  RemoteTrackPublication,
  TrackPublication,
} from "./participant.ts";
import type {
  ConnectionQuality,
  ConnectionState,
  DataMessage,
  DisconnectReason,
  LeaveReason,
  LobbyGuest,
  RoomInfo,
  TrackSource,
} from "./values.ts";

/** Events of a room with their arguments. Fields of the room have their new values when an event comes. */
export interface RoomEvents {
  connectionStateChanged: readonly [state: ConnectionState];
  connected: readonly [];
  /** The way to the server is broken; the SDK restores it. */
  reconnecting: readonly [];
  reconnected: readonly [];
  disconnected: readonly [reason: DisconnectReason, error: ParleyError | undefined];
  /** In the lobby, until a host admits. */
  waiting: readonly [];
  admitted: readonly [];
  /** A host moved us; `room.info.id` is the new room. Streams are published there again. */
  moved: readonly [toRoomId: string];
  roomUpdated: readonly [info: RoomInfo];
  lobbyChanged: readonly [waiting: readonly LobbyGuest[]];

  participantConnected: readonly [participant: RemoteParticipant];
  participantDisconnected: readonly [participant: RemoteParticipant, reason: LeaveReason];
  participantUpdated: readonly [participant: Participant];
  activeSpeakersChanged: readonly [speakers: readonly Participant[]];
  connectionQualityChanged: readonly [participant: Participant, quality: ConnectionQuality];

  trackPublished: readonly [publication: RemoteTrackPublication, participant: RemoteParticipant];
  trackUnpublished: readonly [publication: RemoteTrackPublication, participant: RemoteParticipant];
  /** The first packet of this publication came out of the track; again when it comes out of another track from now on. */
  trackSubscribed: readonly [
    track: MediaStreamTrack,
    publication: RemoteTrackPublication,
    participant: RemoteParticipant,
  ];
  trackUnsubscribed: readonly [publication: RemoteTrackPublication, participant: RemoteParticipant];
  trackSubscriptionFailed: readonly [
    publication: RemoteTrackPublication,
    participant: RemoteParticipant,
    error: ParleyError,
  ];
  trackMuted: readonly [publication: TrackPublication, participant: Participant];
  trackUnmuted: readonly [publication: TrackPublication, participant: Participant];

  localTrackPublished: readonly [publication: LocalTrackPublication];
  localTrackUnpublished: readonly [publication: LocalTrackPublication];
  /** A track that waited for the join (or came back after a break) is refused; it is no longer published. */
  localTrackPublishFailed: readonly [publication: LocalTrackPublication, error: ParleyError];
  /** A host muted us. */
  mutedByHost: readonly [publication: LocalTrackPublication, byParticipantId: string];
  /** A host asks us to unmute; nobody unmutes for us. */
  unmuteAsked: readonly [source: TrackSource, byParticipantId: string];

  dataReceived: readonly [message: DataMessage, participant: RemoteParticipant | undefined];
  /** Devices came or went. */
  mediaDevicesChanged: readonly [];
  /** A camera, microphone or screen that was in use ended (unplugged, or stopped by the browser's own button). */
  localTrackEnded: readonly [publication: LocalTrackPublication];
  mediaDevicesError: readonly [error: ParleyError, source: TrackSource];
  /** False: the browser wants a click before it plays sound; call `room.startAudio()` from one. */
  audioPlaybackStatusChanged: readonly [canPlay: boolean];
  /** The media connection for sending or receiving: for a mark in the interface. */
  mediaStateChanged: readonly [session: "send" | "receive", state: MediaState];
}

/** `none`: nothing to do. `lost`: broken, and being made again. */
export type MediaState = "none" | "connecting" | "connected" | "lost";

/** Names of {@link RoomEvents}, for those who like constants. */
export const RoomEvent = {
  ConnectionStateChanged: "connectionStateChanged",
  Connected: "connected",
  Reconnecting: "reconnecting",
  Reconnected: "reconnected",
  Disconnected: "disconnected",
  Waiting: "waiting",
  Admitted: "admitted",
  Moved: "moved",
  RoomUpdated: "roomUpdated",
  LobbyChanged: "lobbyChanged",
  ParticipantConnected: "participantConnected",
  ParticipantDisconnected: "participantDisconnected",
  ParticipantUpdated: "participantUpdated",
  ActiveSpeakersChanged: "activeSpeakersChanged",
  ConnectionQualityChanged: "connectionQualityChanged",
  TrackPublished: "trackPublished",
  TrackUnpublished: "trackUnpublished",
  TrackSubscribed: "trackSubscribed",
  TrackUnsubscribed: "trackUnsubscribed",
  TrackSubscriptionFailed: "trackSubscriptionFailed",
  TrackMuted: "trackMuted",
  TrackUnmuted: "trackUnmuted",
  LocalTrackPublished: "localTrackPublished",
  LocalTrackUnpublished: "localTrackUnpublished",
  LocalTrackPublishFailed: "localTrackPublishFailed",
  MutedByHost: "mutedByHost",
  UnmuteAsked: "unmuteAsked",
  DataReceived: "dataReceived",
  MediaDevicesChanged: "mediaDevicesChanged",
  LocalTrackEnded: "localTrackEnded",
  MediaDevicesError: "mediaDevicesError",
  AudioPlaybackStatusChanged: "audioPlaybackStatusChanged",
  MediaStateChanged: "mediaStateChanged",
} as const satisfies Record<string, keyof RoomEvents>;
