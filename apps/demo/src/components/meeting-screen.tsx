import { type ReactElement, type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { inviteLink } from "../link.ts";
import type { Meeting } from "../meeting/meeting.ts";
import type { MeetingView } from "../meeting/view.ts";
import type { Settings } from "../settings.ts";
import { Logo } from "./basics.tsx";
import { ChatPanel } from "./chat-panel.tsx";
import { ControlBar, type Panel } from "./control-bar.tsx";
import { CloseIcon, LinkIcon, LockIcon } from "./icons.tsx";
import { NoticeList } from "./notice-list.tsx";
import { PeoplePanel } from "./people-panel.tsx";
import { SettingsDialog } from "./settings-dialog.tsx";
import { type LayoutChoice, Stage } from "./stage.tsx";
import { useShortcuts } from "./shortcuts.ts";

/** The meeting itself. */
export function MeetingScreen(props: {
  readonly meeting: Meeting;
  readonly settings: Settings;
  /** Whether a link with nothing but the room's name lets others in. */
  readonly canInvite: boolean;
  readonly onSettings: (change: Partial<Settings>) => void;
  readonly onLeave: () => void;
  readonly onReturnHome: () => void;
}): ReactElement {
  const { meeting, settings, canInvite, onSettings, onLeave, onReturnHome } = props;
  const view = useSyncExternalStore(meeting.subscribe, meeting.view);
  const [panel, setPanel] = useState<Panel>(undefined);
  const [layout, setLayout] = useState<LayoutChoice>("auto");
  const [page, setPage] = useState(0);
  const [pinned, setPinned] = useState<string | undefined>(undefined);
  const [isSettingsOpen, setSettingsOpen] = useState(false);
  const title = useRef<HTMLHeadingElement>(null);
  // Screen readers begin to read here, and the next Tab comes to the controls.
  useEffect(() => {
    title.current?.focus();
  }, [view.isWaiting]);
  useEffect(() => {
    const before = document.title;
    document.title = `${view.roomId} · ${before}`;
    return () => {
      document.title = before;
    };
  }, [view.roomId]);

  const hasScreen = view.tiles.some(({ kind }) => kind === "screen");
  // A screen that is shared from now on is shown large, whatever was chosen before there was one.
  useEffect(() => {
    if (hasScreen) setLayout((chosen) => (chosen === "grid" ? "auto" : chosen));
  }, [hasScreen]);
  const shownLayout =
    pinned !== undefined || layout === "speaker" || (layout === "auto" && hasScreen) ? "speaker" : "grid";
  const switchLayout = (): void => {
    setPinned(undefined);
    setPage(0);
    setLayout(shownLayout === "grid" ? "speaker" : "grid");
  };
  const togglePanel = (wanted: Panel): void => setPanel(panel === wanted ? undefined : wanted);
  const invite = (): void => {
    const link = inviteLink(location.href, view.homeRoomId);
    navigator.clipboard
      .writeText(link)
      .then(() => meeting.notices.add({ title: "Link copied", text: "Whoever opens it can join.", topic: "invite" }))
      .catch(() => meeting.notices.add({ title: "The link to this room", text: link, topic: "invite" }));
  };

  useShortcuts(settings.shortcuts && !isSettingsOpen && !view.isWaiting, {
    m: () => void meeting.setMicrophone(!view.microphone),
    v: () => void meeting.setCamera(!view.camera),
    s: () => void meeting.setSharing(!view.sharing),
    h: () => void meeting.setHand(!view.handRaised),
    g: switchLayout,
    p: () => togglePanel("people"),
    c: () => togglePanel("chat"),
    PageDown: () => setPage(page + 1),
    PageUp: () => setPage(Math.max(0, page - 1)),
    Escape: () => setPanel(undefined),
  });

  if (view.isWaiting) return <Waiting view={view} titleRef={title} meeting={meeting} onLeave={onLeave} />;
  return (
    <main className={`meeting${panel === undefined ? "" : " has-panel"}`}>
      <header className="meeting-head">
        <Logo />
        <h1 ref={title} tabIndex={-1}>
          <span className="unseen">Meeting in room </span>
          {view.roomId}
        </h1>
        {view.locked ? (
          <span className="mark" role="img" aria-label="The room is locked" title="The room is locked">
            <LockIcon />
          </span>
        ) : null}
        <span className="head-count">{view.people.length === 1 ? "Only you" : `${view.people.length} people`}</span>
        {view.roomId === view.homeRoomId ? null : (
          <button type="button" className="small-button" onClick={onReturnHome}>
            Back to {view.homeRoomId}
          </button>
        )}
      </header>
      <ConnectionBanner view={view} meeting={meeting} />
      <Stage view={view} layout={layout} page={page} pinned={pinned} onPage={setPage} onPin={setPinned}>
        {canInvite && view.people.length === 1 && view.connection === "connected" ? <Alone onInvite={invite} /> : null}
      </Stage>
      {panel === "people" ? (
        <SidePanel title="People" control="people" onClose={() => setPanel(undefined)}>
          <PeoplePanel meeting={meeting} view={view} />
        </SidePanel>
      ) : null}
      {panel === "chat" ? (
        <SidePanel title="Chat" control="chat" onClose={() => setPanel(undefined)}>
          <ChatPanel meeting={meeting} view={view} />
        </SidePanel>
      ) : null}
      <ControlBar
        meeting={meeting}
        view={view}
        panel={panel}
        layout={shownLayout}
        onPanel={setPanel}
        onLayout={switchLayout}
        onSettings={() => setSettingsOpen(true)}
        onInvite={canInvite ? invite : undefined}
        onLeave={onLeave}
      />
      <OwnState view={view} />
      <NoticeList
        notices={view.notices.filter(({ topic }) => !(panel === "people" && topic === "lobby"))}
        onDismiss={(key) => meeting.notices.dismiss(key)}
        onHold={(isHeld) => meeting.notices.hold(isHeld)}
      />
      {isSettingsOpen ? (
        <SettingsDialog
          settings={settings}
          meeting={meeting}
          onSettings={onSettings}
          onClose={() => setSettingsOpen(false)}
        />
      ) : null}
    </main>
  );
}

/** Beside the stage, on phones over it. The focus goes in, and back to the button it came from. */
function SidePanel(props: {
  readonly title: string;
  readonly control: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}): ReactElement {
  const { title, control, onClose, children } = props;
  const element = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const hasFocus = useRef(false);
  // A button that had the focus may be gone: who was let in waits no more.
  useEffect(() => {
    if (hasFocus.current && document.activeElement === document.body) heading.current?.focus();
  });
  useEffect(() => {
    // The chat's line has taken it already.
    if (element.current?.contains(document.activeElement) !== true) heading.current?.focus();
    return () => {
      if (document.activeElement !== document.body) return;
      const button = document.querySelector<HTMLElement>(`[data-control="${control}"]`);
      (button ?? document.querySelector<HTMLElement>('[data-control="more"]'))?.focus();
    };
  }, [control]);
  return (
    <aside
      ref={element}
      className="panel"
      aria-label={title}
      onFocus={() => {
        hasFocus.current = true;
      }}
      onBlur={() => {
        hasFocus.current = false;
      }}
    >
      <header className="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" className="plain-button" aria-label="Close panel" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </aside>
  );
}

/** An empty room says what to do about it. */
function Alone(props: { readonly onInvite: () => void }): ReactElement {
  return (
    <div className="alone">
      <p>
        <strong>Nobody else is here yet</strong>
        <span>Whoever opens the link can join.</span>
      </p>
      <button type="button" className="small-button" onClick={props.onInvite}>
        <LinkIcon />
        Copy the link
      </button>
    </div>
  );
}

/** For screen readers: keys change these without any button having the focus. */
function OwnState(props: { readonly view: MeetingView }): ReactElement {
  const { microphone, camera, sharing, handRaised } = props.view;
  return (
    <div className="unseen" role="status" aria-atomic="false" aria-label="Your devices">
      <p>{microphone ? "Microphone on" : "Microphone off"}</p>
      <p>{camera ? "Camera on" : "Camera off"}</p>
      <p>{sharing ? "You share your screen" : ""}</p>
      <p>{handRaised ? "Your hand is raised" : ""}</p>
    </div>
  );
}

/** What is wrong with the connection, for as long as it is wrong. */
function ConnectionBanner(props: { readonly view: MeetingView; readonly meeting: Meeting }): ReactElement {
  const { view, meeting } = props;
  const words =
    view.connection === "reconnecting"
      ? "The server is away. Reconnecting by itself …"
      : view.mediaLost
        ? "Sound and pictures are being restored."
        : undefined;
  return (
    <div className="banners">
      <div role="alert">
        {words === undefined ? null : (
          <p className="banner" data-connection={view.connection}>
            <span className="spinner" aria-hidden="true" />
            {words}
          </p>
        )}
      </div>
      {view.needsClickForSound ? (
        <p className="banner">
          Your browser plays no sound before a click.
          <button type="button" className="small-button" onClick={() => void meeting.room.startAudio()}>
            Sound on
          </button>
        </p>
      ) : null}
    </div>
  );
}

function Waiting(props: {
  readonly view: MeetingView;
  readonly meeting: Meeting;
  readonly titleRef: React.RefObject<HTMLHeadingElement | null>;
  readonly onLeave: () => void;
}): ReactElement {
  const { view, meeting, titleRef, onLeave } = props;
  return (
    <main className="message-page">
      <Logo />
      <div className="message-card">
        <span className="pulse" aria-hidden="true" />
        <h1 ref={titleRef} tabIndex={-1}>
          You are in the lobby
        </h1>
        <p role="status">
          {view.connection === "reconnecting"
            ? "The server is away. You keep your place."
            : `The host of ${view.homeRoomId} has been told and can let you in.`}
        </p>
        <button type="button" className="quiet-button" onClick={onLeave}>
          Leave
        </button>
      </div>
      <NoticeList
        notices={view.notices}
        onDismiss={(key) => meeting.notices.dismiss(key)}
        onHold={(isHeld) => meeting.notices.hold(isHeld)}
      />
    </main>
  );
}
