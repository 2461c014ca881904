/** Words of the API. Strings, so that they read well in logs and need no import. */

/**
 * `disconnected`: not in the room (never connected, left, removed, or given up). `connecting`: the first attempt. `connected`.
 * `reconnecting`: the way to the server is broken and being restored; media may still flow.
 */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "reconnecting";

/**
 * Why a room ended. `left`: by {@link Room.disconnect}. `moved`: a host moved us to a room that this {@link Client} has joined already, where we go on.
 * `failed`: an error that does not go away by itself.
 */
export type DisconnectReason = "left" | "removed" | "moved" | "room-closed" | "replaced" | "failed";

export type RoomKind = "one-to-one" | "conference" | "live-class";
export type Role = "host" | "speaker" | "viewer";
export type TrackKind = "audio" | "video";
export type TrackSource = "camera" | "microphone" | "screen" | "screen-audio" | "custom";
export type ConnectionQuality = "unknown" | "good" | "fair" | "poor" | "lost";
export type LeaveReason = "left" | "removed" | "connection-lost" | "moved" | "room-closed";

export interface Permissions {
  readonly subscribe: boolean;
  readonly publish: boolean;
  /** Empty: every source, when `publish` is true. */
  readonly publishSources: readonly TrackSource[];
  readonly publishData: boolean;
  /** Host tools. */
  readonly moderate: boolean;
  readonly hidden: boolean;
}

/** Keys with short text; an empty value removes the key. */
export type Attributes = Readonly<Record<string, string>>;

export interface Dimensions {
  readonly width: number;
  readonly height: number;
}

/** What a room tells of itself. */
export interface RoomInfo {
  readonly id: string;
  readonly kind: RoomKind;
  readonly attributes: Attributes;
  readonly lobbyEnabled: boolean;
  readonly locked: boolean;
  /** All of them, also those that are not listed (viewers of a live class). */
  readonly participantCount: number;
  readonly createdAtUnixMs: number;
}

/** Somebody in the lobby. */
export interface LobbyGuest {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly attributes: Attributes;
}

/** A data message. */
export interface DataMessage {
  readonly payload: Uint8Array;
  /** The sender's word for what it is; empty when none was given. */
  readonly topic: string;
  readonly reliable: boolean;
  /** Participant id of the sender; empty when the app's server sent it. */
  readonly from: string;
}
