import { type ReactElement, useEffect, useState } from "react";
import { watchDevices } from "../devices/capture.ts";
import type { Settings } from "../settings.ts";
import { Select } from "./basics.tsx";

const kinds = {
  camera: { kind: "videoinput", label: "Camera" },
  microphone: { kind: "audioinput", label: "Microphone" },
  speaker: { kind: "audiooutput", label: "Speaker" },
} as const;

export type DeviceChoice = keyof typeof kinds;

/** Devices now. `refresh` looks again: names appear when the user has allowed a capture. */
export function useDevices(refresh: unknown): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => watchDevices(setDevices), [refresh]);
  return devices;
}

/** Choice of camera, microphone and speaker. */
export function DeviceFields(props: {
  readonly devices: readonly MediaDeviceInfo[];
  readonly settings: Settings;
  /** What is open now: its device is the choice when none was made. */
  readonly open: Readonly<Partial<Record<DeviceChoice, MediaStreamTrack | undefined>>>;
  readonly choices: readonly DeviceChoice[];
  readonly onChoose: (choice: DeviceChoice, deviceId: string) => void;
}): ReactElement {
  const { devices, settings, open, choices, onChoose } = props;
  return (
    <>
      {choices.map((choice) => {
        const { kind, label } = kinds[choice];
        const own = devices.filter((device) => device.kind === kind && device.deviceId !== "");
        // Browsers without a choice of speakers list none.
        if (choice === "speaker" && own.length === 0) return null;
        const wanted = [settings[choice], open[choice]?.getSettings().deviceId];
        const chosen = wanted.find((id) => own.some(({ deviceId }) => deviceId === id)) ?? "";
        const options = own.map((device, index) => ({
          value: device.deviceId,
          label: device.label === "" ? `${label} ${index + 1}` : device.label,
        }));
        const hasDefault = own.some(({ deviceId }) => deviceId === "default");
        const isThere = devices.some((device) => device.kind === kind);
        const none = { value: "", label: own.length > 0 ? "Default" : isThere ? "Not allowed" : "None found" };
        const all = hasDefault || chosen !== "" ? options : [none, ...options];
        return (
          <Select
            key={choice}
            label={label}
            value={chosen === "" && hasDefault ? "default" : chosen}
            options={all}
            disabled={own.length === 0}
            onChange={(deviceId) => onChoose(choice, deviceId)}
          />
        );
      })}
    </>
  );
}
