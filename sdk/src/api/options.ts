import type { Attributes, RoomKind, TrackSource } from "./values.ts";

/** A token, or a function that gets one. The function is also asked before a token expires and after the server refused one as expired. */
export type TokenSource = string | (() => string | Promise<string>);

/** Where the SDK gets what a browser has by itself. In Node, give at least `WebSocket` (or use Node's own, from 22). */
export interface Environment {
  /** A constructor as in browsers; the `ws` package has one. */
  readonly WebSocket?: typeof WebSocket;
  /** Without one, rooms work for state and data, and media calls reject with `media-unsupported`. */
  readonly RTCPeerConnection?: typeof RTCPeerConnection;
  readonly mediaDevices?: MediaDevices;
  /** `document` of a browser, for audio elements; undefined: sound is not played by the SDK. */
  readonly document?: Document;
}

export interface ClientOptions {
  readonly environment?: Environment;
  /** For statistics and bug reports. */
  readonly clientName?: string;
  /** Give up the first connect after this, default 15,000. */
  readonly connectTimeoutMs?: number;
  /** Give up to reconnect after this, default 300,000; the room then ends with `failed`. */
  readonly reconnectTimeoutMs?: number;
  /** Text frames for debugging instead of binary ones. */
  readonly json?: boolean;
}

export interface JoinOptions {
  /** Shown to others, when the token names none. */
  readonly name?: string;
  readonly attributes?: Attributes;
  /** The kind of a room that this join creates. */
  readonly kind?: RoomKind;
  /** Tracks that are published with the join itself: one round trip less than `publishTrack` after it. */
  readonly tracks?: readonly { readonly track: MediaStreamTrack; readonly options?: TrackPublishOptions }[];
}

export interface ConnectOptions extends JoinOptions {
  /** Name of the room. Default: the one the token is for. */
  readonly room?: string;
}

export interface MediaOptions {
  /** Receive only what is visible (default true). False: every video is received, while there are slots. */
  readonly adaptiveStream?: boolean;
  /** Audio+video pairs that are negotiated at the join, default 4. More are added by one new offer when needed. */
  readonly initialPairs?: number;
  /** Never more pairs than this, default 30. */
  readonly maxPairs?: number;
  /** False: nothing is received (for programs that only send). Default true. */
  readonly receive?: boolean;
  readonly audioCaptureDefaults?: AudioCaptureOptions;
  readonly videoCaptureDefaults?: VideoCaptureOptions;
  readonly publishDefaults?: TrackPublishDefaults;
  /** Passed to RTCPeerConnection: ICE servers and transport policy. */
  readonly rtcConfiguration?: RTCConfiguration;
}

export interface RoomOptions extends ClientOptions, MediaOptions {}

export interface AudioCaptureOptions {
  readonly deviceId?: string;
  readonly echoCancellation?: boolean;
  readonly noiseSuppression?: boolean;
  readonly autoGainControl?: boolean;
}

export interface VideoCaptureOptions {
  readonly deviceId?: string;
  readonly facingMode?: "user" | "environment";
  /** Default 1280 x 720 at 30. */
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number;
}

export interface ScreenCaptureOptions {
  /** Also the sound of the tab or system, where the browser can. Default false. */
  readonly audio?: boolean;
  readonly frameRate?: number;
}

export interface TrackPublishDefaults {
  /** Upper bound of a video encoding, bits per second. Default by resolution. */
  readonly videoMaxBitrateBps?: number;
  readonly audioMaxBitrateBps?: number;
  /** "VP8" (default), "H264", "VP9", "AV1": preferred, others stay possible. */
  readonly videoCodec?: "VP8" | "H264" | "VP9" | "AV1";
}

export interface TrackPublishOptions extends TrackPublishDefaults {
  /** Default: `camera` or `microphone` by the track's kind. */
  readonly source?: TrackSource;
  /** Name of the stream it belongs to; tracks of one stream stay in sync. Default: "camera" (with the microphone), "screen", or a fresh one. */
  readonly stream?: string;
  readonly streamAttributes?: Attributes;
  /** Published muted. */
  readonly muted?: boolean;
  /**
   * Opens the track again, on another device when one is named. With it a camera is switched off while it is muted. Tracks of
   * `createLocalVideoTrack` and `createLocalAudioTrack` have it by themselves.
   */
  readonly reopen?: (deviceId?: string) => Promise<MediaStreamTrack>;
}

export interface SendDataOptions {
  readonly topic?: string;
  /** Default true: arrives in order, also after a reconnect. False: dropped where a connection is slow. */
  readonly reliable?: boolean;
  /** Participant ids; default everybody else. */
  readonly to?: readonly string[];
}
