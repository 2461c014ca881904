import { type FormEvent, type ReactElement, useEffect, useRef, useState } from "react";
import { type Capture, noCapture, openCapture } from "../devices/capture.ts";
import { bothRefused, describeDeviceFailure, type Failure } from "../failures.ts";
import { type MeetingLink, maxNameLength, roomInToken, tidyName } from "../link.ts";
import type { Settings } from "../settings.ts";
import { Avatar, Logo, Switch, useMedia } from "./basics.tsx";
import { DeviceFields, useDevices } from "./device-fields.tsx";
import { CameraIcon, CameraOffIcon, MicrophoneIcon, MicrophoneOffIcon, SettingsIcon, WarningIcon } from "./icons.tsx";
import { LevelMeter, MirrorVideo } from "./preview.tsx";

export interface Entry {
  readonly name: string;
  readonly room: string;
  readonly host: boolean;
  readonly camera: boolean;
  readonly microphone: boolean;
}

export interface EntryScreenProps {
  readonly link: MeetingLink;
  readonly settings: Settings;
  readonly isDevelopment: boolean;
  readonly failure: Failure | undefined;
  /** A join is under way. */
  readonly isJoining: boolean;
  /** What it waits for; undefined: the first attempt. */
  readonly joinStatus: string | undefined;
  readonly onSettings: (change: Partial<Settings>) => void;
  readonly onOpenSettings: () => void;
  readonly onJoin: (entry: Entry) => void;
  readonly onCancel: () => void;
}

/** Opens and closes a preview with its switch and its settings. */
function useCapture(source: "camera" | "microphone", isOn: boolean, settings: Settings): [Capture, () => void] {
  const [capture, setCapture] = useState<Capture>(noCapture);
  const [attempt, setAttempt] = useState(0);
  const deviceId = settings[source];
  const { quality } = settings;
  useEffect(() => {
    if (!isOn) return;
    let isOver = false;
    let opened: MediaStreamTrack | undefined;
    void openCapture(source, { camera: deviceId, microphone: deviceId, quality }).then((result) => {
      opened = result.track;
      if (isOver) opened?.stop();
      else setCapture(result);
      return undefined;
    });
    return () => {
      isOver = true;
      opened?.stop();
      setCapture(noCapture);
    };
  }, [source, isOn, deviceId, quality, attempt]);
  return [capture, () => setAttempt((before) => before + 1)];
}

/** Name, room, and a look into the mirror. */
export function EntryScreen(props: EntryScreenProps): ReactElement {
  const { link, settings, isDevelopment, failure, isJoining, joinStatus, onSettings, onJoin } = props;
  const [name, setName] = useState(link.name === "" ? settings.name : link.name);
  const ownRoom = link.token === undefined ? undefined : roomInToken(link.token);
  const [room, setRoom] = useState(ownRoom ?? link.room);
  const [host, setHost] = useState(link.host);
  const [isCameraOn, setCameraOn] = useState(true);
  const [isMicrophoneOn, setMicrophoneOn] = useState(true);
  const [camera, retryCamera] = useCapture("camera", isCameraOn, settings);
  const [microphone, retryMicrophone] = useCapture("microphone", isMicrophoneOn, settings);
  const devices = useDevices(`${camera.track?.id} ${microphone.track?.id}`);
  const nameInput = useRef<HTMLInputElement>(null);
  const failureBox = useRef<HTMLDivElement>(null);
  useEffect(() => {
    nameInput.current?.focus();
  }, []);
  useEffect(() => {
    if (failure !== undefined) failureBox.current?.focus();
  }, [failure]);

  const isNarrow = useMedia("(max-width: 860px)");
  const deviceFields = (
    <div className="preview-devices">
      <DeviceFields
        devices={devices}
        settings={settings}
        open={{ camera: camera.track, microphone: microphone.track }}
        choices={["camera", "microphone", "speaker"]}
        onChoose={(choice, deviceId) => onSettings({ [choice]: deviceId })}
      />
    </div>
  );

  const isReady = tidyName(name) !== "" && tidyName(room) !== "";
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isReady || isJoining) return;
    onSettings({ name: tidyName(name) });
    onJoin({
      name: tidyName(name),
      room: tidyName(room),
      host: host && link.token === undefined,
      camera: isCameraOn && camera.error === undefined,
      microphone: isMicrophoneOn && microphone.error === undefined,
    });
  };

  return (
    <main className="entry">
      <header className="entry-head">
        <Logo />
        <button type="button" className="plain-button" onClick={props.onOpenSettings}>
          <SettingsIcon />
          <span>Settings</span>
        </button>
      </header>
      <div className="entry-body">
        <section className="preview" aria-label="Preview">
          <div className="preview-picture">
            {camera.track === undefined ? (
              <div className="preview-empty">
                <Avatar name={name === "" ? "You" : name} />
                <p>{cameraWords(isCameraOn, camera)}</p>
              </div>
            ) : (
              <MirrorVideo track={camera.track} label="Your camera" />
            )}
            <div className="preview-controls">
              <ToggleButton
                label="Microphone"
                isOn={isMicrophoneOn && microphone.error === undefined}
                onClick={() => (microphone.error === undefined ? setMicrophoneOn(!isMicrophoneOn) : retryMicrophone())}
                icons={[<MicrophoneIcon key="on" />, <MicrophoneOffIcon key="off" />]}
              />
              <ToggleButton
                label="Camera"
                isOn={isCameraOn && camera.error === undefined}
                onClick={() => (camera.error === undefined ? setCameraOn(!isCameraOn) : retryCamera())}
                icons={[<CameraIcon key="on" />, <CameraOffIcon key="off" />]}
              />
            </div>
          </div>
          <div className="preview-level">
            {microphone.track === undefined ? <MicrophoneOffIcon /> : <MicrophoneIcon />}
            <LevelMeter track={microphone.track} />
          </div>
          <DeviceProblems camera={camera} microphone={microphone} onRetry={{ retryCamera, retryMicrophone }} />
          {isNarrow ? (
            <details className="preview-more">
              <summary>Choose devices</summary>
              {deviceFields}
            </details>
          ) : (
            deviceFields
          )}
        </section>
        <form className="entry-form" onSubmit={submit}>
          <h1>Join the meeting</h1>
          <p className="lead">Pick a room and meet. Whoever enters the same name is in the same room.</p>
          {failure === undefined ? null : (
            <div ref={failureBox} className="failure" role="alert" tabIndex={-1}>
              <WarningIcon />
              <div>
                <strong>{failure.title}</strong>
                <p>{failure.text}</p>
              </div>
            </div>
          )}
          <label className="field">
            <span>Your name</span>
            <input
              ref={nameInput}
              value={name}
              maxLength={maxNameLength}
              autoComplete="name"
              required
              placeholder="Ann Example"
              onChange={(event) => setName(event.target.value)}
            />
          </label>
          <label className="field">
            <span>Room</span>
            <input
              value={room}
              maxLength={maxNameLength}
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              required
              readOnly={ownRoom !== undefined}
              placeholder="team-standup"
              onChange={(event) => setRoom(event.target.value)}
            />
          </label>
          {isDevelopment && link.token === undefined ? (
            <Switch label="I am the host" hint="Mute, remove, let people in" checked={host} onChange={setHost} />
          ) : null}
          {isJoining ? (
            <div className="joining" role="status">
              <span className="spinner" aria-hidden="true" />
              <span>{joinStatus ?? "Joining …"}</span>
              <button type="button" className="quiet-button" onClick={props.onCancel}>
                Cancel
              </button>
            </div>
          ) : (
            <button type="submit" className="main-button" disabled={!isReady}>
              {failure === undefined ? "Join" : "Try again"}
            </button>
          )}
        </form>
      </div>
    </main>
  );
}

function cameraWords(isOn: boolean, capture: Capture): string {
  if (!isOn) return "Your camera is off";
  return capture.error === undefined ? "Starting your camera …" : describeDeviceFailure(capture.error, "camera").title;
}

function ToggleButton(props: {
  readonly label: string;
  readonly isOn: boolean;
  readonly icons: readonly [ReactElement, ReactElement];
  readonly onClick: () => void;
}): ReactElement {
  const { label, isOn, icons, onClick } = props;
  return (
    <button
      type="button"
      className={`round-button${isOn ? "" : " is-off"}`}
      aria-label={label}
      aria-pressed={isOn}
      title={`${label} ${isOn ? "on" : "off"}`}
      onClick={onClick}
    >
      {icons[isOn ? 0 : 1]}
    </button>
  );
}

function DeviceProblems(props: {
  readonly camera: Capture;
  readonly microphone: Capture;
  readonly onRetry: { readonly retryCamera: () => void; readonly retryMicrophone: () => void };
}): ReactElement {
  const { camera, microphone } = props;
  const { retryCamera, retryMicrophone } = props.onRetry;
  if (camera.error === "device-permission-denied" && microphone.error === camera.error) {
    const retryBoth = (): void => {
      retryCamera();
      retryMicrophone();
    };
    return <DeviceProblem failure={bothRefused} onRetry={retryBoth} />;
  }
  return (
    <>
      {camera.error === undefined ? null : (
        <DeviceProblem failure={describeDeviceFailure(camera.error, "camera")} onRetry={retryCamera} />
      )}
      {microphone.error === undefined ? null : (
        <DeviceProblem failure={describeDeviceFailure(microphone.error, "microphone")} onRetry={retryMicrophone} />
      )}
    </>
  );
}

function DeviceProblem(props: { readonly failure: Failure; readonly onRetry: () => void }): ReactElement {
  const { onRetry } = props;
  const { title, text } = props.failure;
  return (
    <div className="failure" role="alert">
      <WarningIcon />
      <div>
        <strong>{title}</strong>
        <p>{text}</p>
      </div>
      <button type="button" className="quiet-button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
