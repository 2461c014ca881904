import { type ReactElement, type ReactNode, useState } from "react";
import type { Meeting } from "../meeting/meeting.ts";
import type { MeetingView } from "../meeting/view.ts";
import { Dialog, phoneQuery, useMedia } from "./basics.tsx";
import { useRoving } from "./roving.ts";
import {
  CameraIcon,
  CameraOffIcon,
  ChatIcon,
  GridIcon,
  HandIcon,
  LeaveIcon,
  LinkIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  MoreIcon,
  PeopleIcon,
  ScreenIcon,
  SettingsIcon,
  SpeakerViewIcon,
} from "./icons.tsx";
import type { LayoutChoice } from "./stage.tsx";

export type Panel = "people" | "chat" | undefined;

export interface ControlBarProps {
  readonly meeting: Meeting;
  readonly view: MeetingView;
  readonly panel: Panel;
  readonly layout: LayoutChoice;
  readonly onPanel: (panel: Panel) => void;
  readonly onLayout: () => void;
  readonly onSettings: () => void;
  /** Undefined: a link alone lets nobody in. */
  readonly onInvite: (() => void) | undefined;
  readonly onLeave: () => void;
}

interface Control {
  readonly key: string;
  readonly label: string;
  readonly shortcut?: string;
  readonly icon: ReactNode;
  /** Undefined: a plain command. */
  readonly pressed?: boolean;
  /** Red: off, and others should know. */
  readonly isOff?: boolean;
  readonly isLeave?: boolean;
  readonly badge?: number;
  readonly run: () => void;
}

/** What can be done in a meeting. On phones the rarer half is behind a button. */
export function ControlBar(props: ControlBarProps): ReactElement {
  const isPhone = useMedia(phoneQuery);
  const [isMoreOpen, setMoreOpen] = useState(false);
  const roving = useRoving<HTMLDivElement>();
  const media = mediaControls(props);
  const rooms = roomControls(props);
  const leave: Control = { key: "leave", label: "Leave", icon: <LeaveIcon />, isLeave: true, run: props.onLeave };
  // Turned to the side, everything is in the bar again.
  if (!isPhone && isMoreOpen) setMoreOpen(false);
  if (!isPhone) {
    return (
      <div className="bar" role="toolbar" aria-label="Meeting controls" {...roving}>
        <div className="bar-group bar-main">{[...media, leave].map(drawn)}</div>
        <div className="bar-group bar-side">{rooms.map(drawn)}</div>
      </div>
    );
  }
  const first = media.filter(({ key }) => key === "microphone" || key === "camera");
  const chat = rooms.filter(({ key }) => key === "chat");
  const behind = [...media, ...rooms].filter((one) => !first.includes(one) && !chat.includes(one));
  const badge = behind.reduce((sum, one) => sum + (one.badge ?? 0), 0);
  const more: Control = { key: "more", label: "More", icon: <MoreIcon />, badge, run: () => setMoreOpen(true) };
  return (
    <>
      <div className="bar" role="toolbar" aria-label="Meeting controls" {...roving}>
        <div className="bar-group bar-main">{[...first, ...chat, more, leave].map(drawn)}</div>
      </div>
      {isMoreOpen ? (
        <Dialog title="More" className="sheet" onClose={() => setMoreOpen(false)}>
          <div className="sheet-grid">
            {behind.map((control) =>
              drawn({
                ...control,
                run: () => {
                  setMoreOpen(false);
                  control.run();
                },
              }),
            )}
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

function drawn(control: Control): ReactElement {
  const { key, label, shortcut, icon, pressed, isOff = false, isLeave = false, badge = 0, run } = control;
  const classes = ["bar-button"];
  if (isOff) classes.push("is-off");
  if (isLeave) classes.push("is-leave");
  const title = shortcut === undefined ? label : `${label} (${shortcut})`;
  return (
    <button
      key={key}
      type="button"
      className={classes.join(" ")}
      data-control={key}
      {...(pressed === undefined ? {} : { "aria-pressed": pressed })}
      {...(shortcut === undefined ? {} : { "aria-keyshortcuts": shortcut })}
      title={title}
      onClick={run}
    >
      <span className="bar-icon">{icon}</span>
      <span className="bar-label">{label}</span>
      {badge > 0 ? (
        <span className="badge">
          {badge}
          <span className="unseen"> new</span>
        </span>
      ) : null}
    </button>
  );
}

function mediaControls({ meeting, view }: ControlBarProps): Control[] {
  const { microphone, camera, sharing, handRaised } = view;
  const canShare = typeof globalThis.navigator?.mediaDevices?.getDisplayMedia === "function";
  const own: Control[] = [
    {
      key: "microphone",
      label: microphone ? "Mute" : "Unmute",
      shortcut: "M",
      icon: microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />,
      isOff: !microphone,
      run: () => void meeting.setMicrophone(!microphone),
    },
    {
      key: "camera",
      label: camera ? "Stop camera" : "Start camera",
      shortcut: "V",
      icon: camera ? <CameraIcon /> : <CameraOffIcon />,
      isOff: !camera,
      run: () => void meeting.setCamera(!camera),
    },
    {
      key: "screen",
      label: sharing ? "Stop sharing" : "Share screen",
      shortcut: "S",
      icon: <ScreenIcon />,
      pressed: sharing,
      run: () => void meeting.setSharing(!sharing),
    },
  ];
  const hand: Control = {
    key: "hand",
    label: handRaised ? "Lower hand" : "Raise hand",
    shortcut: "H",
    icon: <HandIcon />,
    pressed: handRaised,
    run: () => void meeting.setHand(!handRaised),
  };
  const allowed = view.canPublish ? own.filter(({ key }) => key !== "screen" || canShare) : [];
  return [...allowed, hand];
}

function roomControls(props: ControlBarProps): Control[] {
  const { view, panel, layout, onPanel } = props;
  const waiting = view.lobby.length;
  return [
    {
      key: "layout",
      label: layout === "grid" ? "Speaker view" : "Grid view",
      shortcut: "G",
      icon: layout === "grid" ? <SpeakerViewIcon /> : <GridIcon />,
      run: props.onLayout,
    },
    {
      key: "people",
      label: "People",
      shortcut: "P",
      icon: <PeopleIcon />,
      pressed: panel === "people",
      badge: waiting,
      run: () => onPanel(panel === "people" ? undefined : "people"),
    },
    {
      key: "chat",
      label: "Chat",
      shortcut: "C",
      icon: <ChatIcon />,
      pressed: panel === "chat",
      badge: view.unread,
      run: () => onPanel(panel === "chat" ? undefined : "chat"),
    },
    ...(props.onInvite === undefined
      ? []
      : [{ key: "invite", label: "Invite", icon: <LinkIcon />, run: props.onInvite }]),
    { key: "settings", label: "Settings", icon: <SettingsIcon />, run: props.onSettings },
  ];
}
