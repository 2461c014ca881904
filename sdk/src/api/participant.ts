import type { Emitter } from "./emitter.ts";
import type { ParleyError } from "./error.ts";
import type {
  AudioCaptureOptions,
  ScreenCaptureOptions,
  SendDataOptions,
  TrackPublishOptions,
  VideoCaptureOptions,
} from "./options.ts";
import type { Attributes, ConnectionQuality, Dimensions, Permissions, Role, TrackKind, TrackSource } from "./values.ts";

/** Somebody in the room. The object stays the same while the participant is there; its fields change. */
export interface Participant {
  /** Unique in the room; two tabs of one user are two participants. */
  readonly id: string;
  /** The token's subject. */
  readonly userId: string;
  readonly name: string;
  readonly role: Role;
  readonly permissions: Permissions;
  readonly attributes: Attributes;
  readonly joinedAtUnixMs: number;
  readonly handRaised: boolean;
  readonly isLocal: boolean;
  readonly isSpeaking: boolean;
  /** 0 (silence) to 1, of the last speakers' report. */
  readonly audioLevel: number;
  readonly connectionQuality: ConnectionQuality;
  readonly isCameraEnabled: boolean;
  readonly isMicrophoneEnabled: boolean;
  readonly isScreenShareEnabled: boolean;
}

export interface RemoteParticipant extends Participant {
  readonly isLocal: false;
  /** By publication id. */
  readonly publications: ReadonlyMap<string, RemoteTrackPublication>;
  getPublication(source: TrackSource): RemoteTrackPublication | undefined;
}

/** A track that somebody publishes. */
export interface TrackPublication {
  /** Unique in the room while it lives. */
  readonly id: string;
  readonly streamId: number;
  readonly streamName: string;
  readonly streamAttributes: Attributes;
  readonly kind: TrackKind;
  readonly source: TrackSource;
  readonly muted: boolean;
}

export interface RemoteTrackPublication extends TrackPublication, Emitter<RemotePublicationEvents> {
  /** Media really arrives at the server. */
  readonly live: boolean;
  /** "VP8", "opus"; empty until it is known. */
  readonly codec: string;
  readonly dimensions: Dimensions | undefined;
  /**
   * The track, while it certainly carries this publication (told by the packets themselves, not by messages that may be late).
   * It is a slot's: another publication may come out of the same track later, so attach elements with `attach`, or drop it at
   * `unsubscribed`.
   */
  readonly track: MediaStreamTrack | undefined;
  readonly isSubscribed: boolean;
  /** Why it cannot be received now (`codec-not-accepted`, ...). */
  readonly subscriptionError: ParleyError | undefined;
  /** Wanted at all? Default true. */
  readonly isDesired: boolean;
  setSubscribed(subscribed: boolean): void;
  /** For those who draw without `attach`: whether anybody looks. Default false with `adaptiveStream`. */
  setVisible(visible: boolean): void;
  /**
   * Shows a video (or plays an audio) in `element`, and asks for it while the element is visible. The element stays hidden
   * (`visibility`) while no picture of this publication is there. Returns the function that detaches it again.
   * Audio needs no element: the SDK plays it.
   */
  attach(element: HTMLMediaElement): () => void;
  /** All elements, or one. */
  detach(element?: HTMLMediaElement): void;
  /** Audio only: 0 to 1. */
  setVolume(volume: number): void;
}

export interface RemotePublicationEvents {
  subscribed: readonly [track: MediaStreamTrack];
  unsubscribed: readonly [];
  muted: readonly [];
  unmuted: readonly [];
  updated: readonly [];
  subscriptionFailed: readonly [error: ParleyError];
}

export interface LocalTrackPublication extends TrackPublication {
  readonly track: MediaStreamTrack;
  /**
   * Others are told, and see and hear nothing. A camera that can be opened again (see `TrackPublishOptions.reopen`) is switched off, and
   * its light with it; `unmute` opens it. Every other track stays open, disabled: black or silence, so that a word after `unmute` is
   * heard at once.
   */
  mute(): Promise<void>;
  unmute(): Promise<void>;
  /** Another track in place of this one, without a negotiation. */
  replaceTrack(track: MediaStreamTrack): Promise<void>;
}

export interface LocalParticipant extends Participant {
  readonly isLocal: true;
  /** By publication id. */
  readonly publications: ReadonlyMap<string, LocalTrackPublication>;
  getPublication(source: TrackSource): LocalTrackPublication | undefined;

  /**
   * Opens and publishes, or mutes. Outside of a room (before `connect`, or in the lobby) it resolves when the device is open; the next
   * join publishes it. Rejects with `device-permission-denied`, `device-not-found`, `device-in-use`, `insecure-context`.
   */
  setCameraEnabled(
    enabled: boolean,
    capture?: VideoCaptureOptions,
    publish?: TrackPublishOptions,
  ): Promise<LocalTrackPublication | undefined>;
  setMicrophoneEnabled(
    enabled: boolean,
    capture?: AudioCaptureOptions,
    publish?: TrackPublishOptions,
  ): Promise<LocalTrackPublication | undefined>;
  /** Must be called from a user's click. Switching off unpublishes. */
  setScreenShareEnabled(
    enabled: boolean,
    capture?: ScreenCaptureOptions,
    publish?: TrackPublishOptions,
  ): Promise<LocalTrackPublication | undefined>;

  /** As above: outside of a room the next join publishes it. */
  publishTrack(track: MediaStreamTrack, options?: TrackPublishOptions): Promise<LocalTrackPublication>;
  /** `stop` also ends the track itself; default: only when the SDK opened it. */
  unpublishTrack(track: MediaStreamTrack | LocalTrackPublication, stop?: boolean): Promise<void>;

  sendData(payload: Uint8Array | string, options?: SendDataOptions): Promise<void>;
  setName(name: string): Promise<void>;
  /** Merged with what is there; an empty value removes a key. */
  setAttributes(attributes: Attributes): Promise<void>;
  setHandRaised(raised: boolean): Promise<void>;
}

/** What a host may do (permission `moderate`). All reject with `grant-missing` for others. */
export interface HostTools {
  /** Mutes a track of somebody else; only they can unmute. */
  muteTrack(publication: TrackPublication): Promise<void>;
  /** All audio of everybody else. */
  muteAll(): Promise<void>;
  askToUnmute(participantId: string, source: TrackSource): Promise<void>;
  remove(participantId: string, options?: { readonly reason?: string; readonly ban?: boolean }): Promise<void>;
  closeRoom(reason?: string): Promise<void>;
  admit(participantIds: readonly string[]): Promise<void>;
  deny(participantIds: readonly string[]): Promise<void>;
  /** To another room of the app (breakout), or back. */
  move(participantIds: readonly string[], toRoom: string): Promise<void>;
  setPermissions(
    participantId: string,
    change: { readonly role?: Role; readonly permissions?: Partial<Permissions> },
  ): Promise<void>;
  updateRoom(change: {
    readonly attributes?: Attributes;
    readonly locked?: boolean;
    readonly lobbyEnabled?: boolean;
  }): Promise<void>;
}
