import { ParleyError, sdkError } from "./api/error.ts";
import type { AudioCaptureOptions, ScreenCaptureOptions, VideoCaptureOptions } from "./api/options.ts";

/** Default picture: enough for a full window, cheap enough for a laptop of five years ago. */
const defaultVideo = { width: 1280, height: 720, frameRate: 30 };
/** Text on a shared screen needs sharpness, not motion. */
const defaultScreenFrameRate = 15;

function devicesOrThrow(given: MediaDevices | undefined): MediaDevices {
  const devices = given ?? globalThis.navigator?.mediaDevices;
  if (devices !== undefined) return devices;
  // Browsers hide mediaDevices on plain HTTP from another machine.
  throw sdkError(globalThis.isSecureContext === false ? "insecure-context" : "media-unsupported");
}

/** Names of DOMException that getUserMedia and getDisplayMedia reject with (Media Capture and Streams 10.2). */
export function deviceError(cause: unknown): ParleyError {
  if (cause instanceof ParleyError) return cause;
  const name = cause instanceof Error ? cause.name : "";
  const detail = cause instanceof Error ? cause.message : String(cause);
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
    case "PermissionDeniedError":
      return sdkError("device-permission-denied", detail, cause);
    case "NotFoundError":
    case "OverconstrainedError":
    case "DevicesNotFoundError":
      return sdkError("device-not-found", detail, cause);
    case "NotReadableError":
    case "TrackStartError":
      return sdkError("device-in-use", detail, cause);
    case "TypeError":
      return sdkError("bad-argument", detail, cause);
    default:
      return sdkError("device-failed", detail, cause);
  }
}

/** Opens a device again as it was opened before, or another one with the same wishes. */
export type Reopen = (deviceId?: string) => Promise<MediaStreamTrack>;

const reopeners = new WeakMap<MediaStreamTrack, Reopen>();

/** How to open this track again; undefined: it was not opened here. */
export function reopenerOf(track: MediaStreamTrack): Reopen | undefined {
  return reopeners.get(track);
}

async function captureOne(
  devices: MediaDevices | undefined,
  constraints: MediaStreamConstraints,
  reopen: Reopen,
): Promise<MediaStreamTrack> {
  const from = devicesOrThrow(devices);
  try {
    const stream = await from.getUserMedia(constraints);
    const track = stream.getTracks()[0];
    if (track === undefined) throw sdkError("device-failed");
    reopeners.set(track, reopen);
    return track;
  } catch (error) {
    throw deviceError(error);
  }
}

/** Opens a microphone, with echo cancellation, noise suppression and gain control unless told otherwise. */
export function createLocalAudioTrack(
  options: AudioCaptureOptions = {},
  devices?: MediaDevices,
): Promise<MediaStreamTrack> {
  const { deviceId, ...processing } = options;
  const audio: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...processing,
  };
  if (deviceId !== undefined) audio.deviceId = { exact: deviceId };
  return captureOne(devices, { audio }, (id) => createLocalAudioTrack(withDevice(options, id), devices));
}

/** Opens a camera. Published, it is switched off while muted, and opened again the same way. */
export function createLocalVideoTrack(
  options: VideoCaptureOptions = {},
  devices?: MediaDevices,
): Promise<MediaStreamTrack> {
  const { deviceId, facingMode, ...size } = options;
  const wanted = { ...defaultVideo, ...size };
  const video: MediaTrackConstraints = {
    width: { ideal: wanted.width },
    height: { ideal: wanted.height },
    frameRate: { ideal: wanted.frameRate },
  };
  if (deviceId !== undefined) video.deviceId = { exact: deviceId };
  if (facingMode !== undefined) video.facingMode = facingMode;
  return captureOne(devices, { video }, (id) => createLocalVideoTrack(withDevice(options, id), devices));
}

function withDevice<Options extends { readonly deviceId?: string }>(
  options: Options,
  deviceId: string | undefined,
): Options {
  return deviceId === undefined ? options : { ...options, deviceId };
}

/** Asks for a screen, window or tab; must be called from a user's click. */
export async function createLocalScreenTracks(
  options: ScreenCaptureOptions = {},
  devices?: MediaDevices,
): Promise<{ readonly video: MediaStreamTrack; readonly audio: MediaStreamTrack | undefined }> {
  const from = devicesOrThrow(devices);
  if (typeof from.getDisplayMedia !== "function") throw sdkError("media-unsupported");
  try {
    const stream = await from.getDisplayMedia({
      video: { frameRate: { ideal: options.frameRate ?? defaultScreenFrameRate } },
      audio: options.audio ?? false,
    });
    const video = stream.getVideoTracks()[0];
    if (video === undefined) throw sdkError("device-failed");
    return { video, audio: stream.getAudioTracks()[0] };
  } catch (error) {
    throw deviceError(error);
  }
}

/**
 * Devices of one kind. Names are empty until the user allowed a capture; `request` asks for that first (and closes the
 * device again).
 */
export async function getLocalDevices(
  kind?: MediaDeviceKind,
  options: { readonly request?: boolean; readonly devices?: MediaDevices } = {},
): Promise<MediaDeviceInfo[]> {
  const from = devicesOrThrow(options.devices);
  if (options.request === true && kind !== "audiooutput") {
    const constraints =
      kind === "videoinput" ? { video: true } : kind === "audioinput" ? { audio: true } : { audio: true, video: true };
    try {
      const stream = await from.getUserMedia(constraints);
      for (const track of stream.getTracks()) track.stop();
    } catch (error) {
      throw deviceError(error);
    }
  }
  const all = await from.enumerateDevices();
  return kind === undefined ? all : all.filter((device) => device.kind === kind);
}

/** Calls `listener` when devices come or go. Returns the function that ends it. */
export function onDevicesChanged(listener: () => void, devices?: MediaDevices): () => void {
  const from = devicesOrThrow(devices);
  from.addEventListener("devicechange", listener);
  return () => from.removeEventListener("devicechange", listener);
}
