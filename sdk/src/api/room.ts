import type { Emitter } from "./emitter.ts";
import type { ConnectOptions, TokenSource } from "./options.ts";
import type { HostTools, LocalParticipant, Participant, RemoteParticipant } from "./participant.ts";
import type { RoomEvents } from "./room-events.ts";
import type { RoomStats } from "./stats.ts";
import type { ConnectionState, LobbyGuest, RoomInfo } from "./values.ts";

/** A room we are in, or want to be in. {@link Room} connects by itself; a `Client` holds several over one connection. */
export interface JoinedRoom extends Emitter<RoomEvents> {
  readonly state: ConnectionState;
  /** True in the lobby. */
  readonly isWaiting: boolean;
  /** Undefined before the first join (and in the lobby). */
  readonly info: RoomInfo | undefined;
  /** Name of the room; "" before it is known. */
  readonly id: string;
  readonly localParticipant: LocalParticipant;
  /** By participant id. */
  readonly remoteParticipants: ReadonlyMap<string, RemoteParticipant>;
  /** Loudest first. */
  readonly activeSpeakers: readonly Participant[];
  /** Who waits for admission; only for hosts. */
  readonly lobby: readonly LobbyGuest[];
  readonly host: HostTools;
  readonly canPlaybackAudio: boolean;
  getParticipant(id: string): Participant | undefined;
  /** To be called from a click, when `canPlaybackAudio` is false. */
  startAudio(): Promise<void>;
  /** Camera, microphone (the published track is replaced) or speaker, now and for later. */
  switchActiveDevice(kind: MediaDeviceKind, deviceId: string): Promise<void>;
  getActiveDevice(kind: MediaDeviceKind): string | undefined;
  getStats(): Promise<RoomStats>;
  /** Leaves the room. */
  disconnect(): Promise<void>;
}

/** See {@link JoinedRoom}; made by `new Room(options)`. */
export interface ConnectableRoom extends JoinedRoom {
  /** Resolves when joined (or in the lobby: see `isWaiting`). `url` is the server's, http(s) or ws(s). */
  connect(url: string, token: TokenSource, options?: ConnectOptions): Promise<void>;
}
