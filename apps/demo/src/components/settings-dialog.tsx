import type { RoomStats } from "@parley/sdk";
import { type ReactElement, useEffect, useState } from "react";
import type { Meeting } from "../meeting/meeting.ts";
import type { Settings } from "../settings.ts";
import { Dialog, Select, Switch } from "./basics.tsx";
import { DeviceFields, useDevices } from "./device-fields.tsx";

const deviceKinds = { camera: "videoinput", microphone: "audioinput", speaker: "audiooutput" } as const;

/** Devices, quality, looks, keys, and how the connection does. */
export function SettingsDialog(props: {
  readonly settings: Settings;
  readonly meeting: Meeting | undefined;
  readonly onSettings: (change: Partial<Settings>) => void;
  readonly onClose: () => void;
}): ReactElement {
  const { settings, meeting, onSettings, onClose } = props;
  const devices = useDevices(meeting);
  const local = meeting?.room.localParticipant;
  return (
    <Dialog title="Settings" onClose={onClose}>
      <div className="settings">
        {meeting === undefined ? null : (
          <DeviceFields
            devices={devices}
            settings={settings}
            open={{
              camera: local?.getPublication("camera")?.track,
              microphone: local?.getPublication("microphone")?.track,
            }}
            choices={["camera", "microphone", "speaker"]}
            onChoose={(choice, deviceId) => {
              onSettings({ [choice]: deviceId });
              void meeting.useDevice(deviceKinds[choice], deviceId);
            }}
          />
        )}
        <Select
          label="Picture quality"
          {...(meeting === undefined ? {} : { hint: "from the next meeting on" })}
          value={settings.quality}
          options={[
            { value: "low", label: "Low: saves data" },
            { value: "standard", label: "Standard" },
            { value: "high", label: "High" },
          ]}
          onChange={(quality) => onSettings({ quality })}
        />
        <Select
          label="Colours"
          value={settings.theme}
          options={[
            { value: "system", label: "As the system" },
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
          ]}
          onChange={(theme) => onSettings({ theme })}
        />
        <Switch
          label="Original sound"
          hint={`For music: no noise suppression${meeting === undefined ? "" : ", from the next meeting on"}`}
          checked={settings.originalSound}
          onChange={(originalSound) => onSettings({ originalSound })}
        />
        <Switch
          label="Keyboard shortcuts"
          hint="M microphone, V camera, S screen, H hand, G view, P people, C chat, Page keys for pages"
          checked={settings.shortcuts}
          onChange={(shortcuts) => onSettings({ shortcuts })}
        />
        {meeting === undefined ? null : <ConnectionFacts meeting={meeting} />}
      </div>
    </Dialog>
  );
}

const lookEveryMs = 1_000;

function ConnectionFacts(props: { readonly meeting: Meeting }): ReactElement {
  const { room } = props.meeting;
  const [stats, setStats] = useState<RoomStats | undefined>(undefined);
  useEffect(() => {
    const look = (): void => {
      room
        .getStats()
        .then(setStats)
        .catch(() => undefined);
    };
    look();
    const timer = setInterval(look, lookEveryMs);
    return () => clearInterval(timer);
  }, [room]);
  const rttMs = stats?.rttMs ?? stats?.signalRttMs;
  const received = stats?.tracks.filter(({ direction }) => direction === "receive") ?? [];
  const worstLoss = Math.max(0, ...received.map(({ lossRatio }) => lossRatio));
  return (
    <section aria-label="Connection">
      <h3>Connection</h3>
      <dl className="facts">
        <Fact name="Round trip" value={rttMs === undefined ? "–" : rttMs < 1 ? "< 1 ms" : `${Math.round(rttMs)} ms`} />
        <Fact name="Sending" value={rate(stats?.sendBitrateBps)} />
        <Fact name="Receiving" value={rate(stats?.receiveBitrateBps)} />
        <Fact name="Loss" value={stats === undefined ? "–" : `${(worstLoss * 100).toFixed(1)} %`} />
        <Fact name="Transport" value={stats?.transport?.toUpperCase() ?? "–"} />
      </dl>
    </section>
  );
}

function Fact(props: { readonly name: string; readonly value: string }): ReactElement {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

function rate(bps: number | undefined): string {
  if (bps === undefined) return "–";
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mb/s` : `${Math.round(bps / 1000)} kb/s`;
}
