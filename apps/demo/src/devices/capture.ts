import { createLocalAudioTrack, createLocalVideoTrack, getLocalDevices, onDevicesChanged } from "@parley/sdk";
import { codeOf } from "../failures.ts";
import { qualities, type Settings } from "../settings.ts";

export interface Capture {
  readonly track: MediaStreamTrack | undefined;
  /** Code of why there is none; undefined while opening, or when switched off. */
  readonly error: string | undefined;
}

export const noCapture: Capture = { track: undefined, error: undefined };

/** Opens the chosen camera or microphone; one that is not there any more is replaced by any. */
export async function openCapture(
  source: "camera" | "microphone",
  settings: Pick<Settings, "camera" | "microphone" | "quality">,
): Promise<Capture> {
  const open = (deviceId: string): Promise<MediaStreamTrack> => {
    const chosen = deviceId === "" ? {} : { deviceId };
    const { width, height, frameRate } = qualities[settings.quality];
    return source === "camera"
      ? createLocalVideoTrack({ width, height, frameRate, ...chosen })
      : createLocalAudioTrack(chosen);
  };
  const chosen = settings[source];
  try {
    return { track: await open(chosen), error: undefined };
  } catch (error) {
    const code = codeOf(error);
    if (chosen === "" || code !== "device-not-found") return { track: undefined, error: code };
  }
  try {
    return { track: await open(""), error: undefined };
  } catch (error) {
    return { track: undefined, error: codeOf(error) };
  }
}

/** All devices now and after every change; without permission browsers tell neither names nor ids. */
export function watchDevices(listener: (devices: readonly MediaDeviceInfo[]) => void): () => void {
  let isOver = false;
  const look = (): void => {
    getLocalDevices()
      .then((devices) => {
        if (!isOver) listener(devices);
      })
      .catch(() => undefined);
  };
  look();
  let stop: (() => void) | undefined;
  try {
    stop = onDevicesChanged(look);
  } catch {
    // No devices on this page at all (plain HTTP): the capture itself says so.
  }
  return () => {
    isOver = true;
    stop?.();
  };
}
