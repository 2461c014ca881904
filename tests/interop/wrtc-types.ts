import { createRequire } from "node:module";

// @roamhq/wrtc brings no types. These are the parts that are used here (its docs/nonstandard-apis.md).

export interface WrtcFrame {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

export interface WrtcAudioData {
  readonly samples: Int16Array;
  readonly sampleRate: number;
  readonly bitsPerSample?: number;
  readonly channelCount?: number;
  readonly numberOfFrames?: number;
}

interface Nonstandard {
  readonly RTCVideoSource: new () => { createTrack(): MediaStreamTrack; onFrame(frame: WrtcFrame): void };
  readonly RTCAudioSource: new () => { createTrack(): MediaStreamTrack; onData(data: WrtcAudioData): void };
  readonly RTCVideoSink: new (track: MediaStreamTrack) => {
    onframe: ((event: { readonly frame: WrtcFrame }) => void) | null;
  };
  readonly RTCAudioSink: new (track: MediaStreamTrack) => { ondata: ((data: WrtcAudioData) => void) | null };
}

const wrtc = createRequire(import.meta.url)("@roamhq/wrtc") as {
  readonly RTCPeerConnection: new () => RTCPeerConnection;
  readonly nonstandard: Nonstandard;
};

export const nonstandard: Nonstandard = wrtc.nonstandard;

export function peerConnectionOf(): RTCPeerConnection {
  return new wrtc.RTCPeerConnection();
}
