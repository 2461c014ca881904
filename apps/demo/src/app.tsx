import type { DisconnectReason } from "@parley/sdk";
import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { Logo } from "./components/basics.tsx";
import { type Entry, EntryScreen } from "./components/entry-screen.tsx";
import { MeetingScreen } from "./components/meeting-screen.tsx";
import { SettingsDialog } from "./components/settings-dialog.tsx";
import { codeOf, describeFailure, type Failure } from "./failures.ts";
import { inviteLink, readLink } from "./link.ts";
import { Meeting } from "./meeting/meeting.ts";
import { loadSettings, saveSettings, type Settings } from "./settings.ts";
import { isDevelopmentServer, requestToken, tabUser } from "./tokens.ts";

type Phase =
  | { readonly kind: "entry"; readonly failure: Failure | undefined }
  | { readonly kind: "joining"; readonly status: string | undefined }
  | { readonly kind: "meeting"; readonly meeting: Meeting; readonly entry: Entry }
  | { readonly kind: "ended"; readonly failure: Failure; readonly entry: Entry };

/** How long to wait before the next attempt to join. */
const retryMs = 1_500;
/** With these it may go right without anybody doing anything. */
const waitsFor: Readonly<Record<string, string>> = {
  "connect-failed": "The server is away. We keep trying …",
  "connection-lost": "The connection broke. We keep trying …",
  "request-timeout": "The server does not answer. We keep trying …",
  draining: "The server restarts. We keep trying …",
  unavailable: "The server is not ready yet. We keep trying …",
};

function useSettings(): [Settings, (change: Partial<Settings>) => void] {
  const [settings, setSettings] = useState(() => loadSettings(localStorage));
  useEffect(() => {
    document.documentElement.dataset["theme"] = settings.theme;
    saveSettings(localStorage, settings);
  }, [settings]);
  const change = useCallback((some: Partial<Settings>) => setSettings((before) => ({ ...before, ...some })), []);
  return [settings, change];
}

export function App(): ReactElement {
  const [link] = useState(() => readLink(location.hash));
  const [settings, changeSettings] = useSettings();
  const [phase, setPhase] = useState<Phase>({ kind: "entry", failure: undefined });
  const [isSettingsOpen, setSettingsOpen] = useState(false);
  const [isDevelopment, setDevelopment] = useState(false);
  /** Grows with every join and cancel; an attempt of before is void. */
  const turn = useRef(0);
  useEffect(() => {
    void isDevelopmentServer().then(setDevelopment);
  }, []);

  const leave = (meeting: Meeting, entry: Entry): void => {
    turn.current += 1;
    void meeting.leave();
    setPhase({ kind: "ended", failure: { title: "You have left", text: "See you soon.", remedy: "retry" }, entry });
  };

  const join = async (entry: Entry): Promise<void> => {
    turn.current += 1;
    const mine = turn.current;
    setPhase({ kind: "joining", status: undefined });
    for (;;) {
      const meeting: Meeting = new Meeting({
        ...entry,
        url: location.origin,
        roomId: entry.room,
        settings,
        token: ({ hidden } = { hidden: false }) =>
          requestToken(link, { user: tabUser(sessionStorage), name: entry.name, host: entry.host, hidden }),
        onEnded: (reason, error) => {
          if (mine !== turn.current) return;
          const wasWaiting = meeting.view().isWaiting;
          setPhase({ kind: "ended", failure: endOf(reason, error?.code, wasWaiting), entry });
        },
      });
      try {
        await meeting.connect();
        if (mine !== turn.current) return void meeting.leave();
        if (link.token === undefined) history.replaceState(null, "", inviteLink(location.href, entry.room));
        return setPhase({ kind: "meeting", meeting, entry });
      } catch (error) {
        void meeting.leave();
        if (mine !== turn.current) return;
        const code = codeOf(error);
        const status = waitsFor[code];
        if (status === undefined) return setPhase({ kind: "entry", failure: describeFailure(code) });
        setPhase({ kind: "joining", status });
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      if (mine !== turn.current) return;
    }
  };

  if (phase.kind === "meeting") {
    const { meeting, entry } = phase;
    return (
      <MeetingScreen
        meeting={meeting}
        settings={settings}
        canInvite={link.token === undefined}
        onSettings={changeSettings}
        onLeave={() => leave(meeting, entry)}
        onReturnHome={() => {
          void meeting.leave().then(() => join(entry));
        }}
      />
    );
  }
  if (phase.kind === "ended") {
    return (
      <Ended
        failure={phase.failure}
        onRejoin={() => void join(phase.entry)}
        onHome={() => setPhase({ kind: "entry", failure: undefined })}
      />
    );
  }
  return (
    <>
      <EntryScreen
        link={link}
        settings={settings}
        isDevelopment={isDevelopment}
        failure={phase.kind === "entry" ? phase.failure : undefined}
        isJoining={phase.kind === "joining"}
        joinStatus={phase.kind === "joining" ? phase.status : undefined}
        onSettings={changeSettings}
        onOpenSettings={() => setSettingsOpen(true)}
        onJoin={(entry) => void join(entry)}
        onCancel={() => {
          turn.current += 1;
          setPhase({ kind: "entry", failure: undefined });
        }}
      />
      {isSettingsOpen ? (
        <SettingsDialog
          settings={settings}
          meeting={undefined}
          onSettings={changeSettings}
          onClose={() => setSettingsOpen(false)}
        />
      ) : null}
    </>
  );
}

function endOf(reason: DisconnectReason, code: string | undefined, wasWaiting: boolean): Failure {
  if (reason === "removed" && wasWaiting) return describeFailure("not-admitted");
  if (reason === "removed" && code !== "banned") return describeFailure("removed");
  if (reason === "failed") return describeFailure(code ?? "connection-lost");
  return describeFailure(code ?? reason);
}

function Ended(props: {
  readonly failure: Failure;
  readonly onRejoin: () => void;
  readonly onHome: () => void;
}): ReactElement {
  const { failure, onRejoin, onHome } = props;
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    title.current?.focus();
  }, []);
  return (
    <main className="message-page">
      <Logo />
      <div className="message-card">
        <h1 ref={title} tabIndex={-1}>
          {failure.title}
        </h1>
        <p role="status">{failure.text}</p>
        <div className="dialog-foot">
          <button type="button" className="quiet-button" onClick={onHome}>
            Another room
          </button>
          {failure.remedy === "retry" ? (
            <button type="button" className="main-button" onClick={onRejoin}>
              Join again
            </button>
          ) : null}
        </div>
      </div>
    </main>
  );
}
