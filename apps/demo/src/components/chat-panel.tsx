import { type FormEvent, type KeyboardEvent, type ReactElement, useEffect, useRef, useState } from "react";
import { type ChatMessage, linkPieces, maxChatLength } from "../meeting/chat.ts";
import type { Meeting } from "../meeting/meeting.ts";
import type { MeetingView } from "../meeting/view.ts";
import { SendIcon } from "./icons.tsx";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** What was said in writing, and a line to write. */
export function ChatPanel(props: { readonly meeting: Meeting; readonly view: MeetingView }): ReactElement {
  const { meeting, view } = props;
  const [text, setText] = useState("");
  const end = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    meeting.setChatOpen(true);
    input.current?.focus();
    return () => meeting.setChatOpen(false);
  }, [meeting]);
  // In braces: newer browsers return a promise here, which React would take for a clean-up.
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [view.chat.length]);
  const send = (event: FormEvent | KeyboardEvent): void => {
    event.preventDefault();
    void meeting.say(text);
    setText("");
  };
  return (
    <div className="chat">
      <div className="chat-list" role="log" aria-label="Messages" tabIndex={0}>
        {view.chat.length === 0 ? (
          <p className="empty">Nobody has written yet. Everybody in the room sees this.</p>
        ) : null}
        {view.chat.map((message, index) => (
          <Message key={message.key} message={message} before={view.chat[index - 1]} />
        ))}
        <div ref={end} />
      </div>
      {view.canChat ? (
        <form className="chat-form" onSubmit={send}>
          <textarea
            ref={input}
            rows={2}
            value={text}
            maxLength={maxChatLength}
            aria-label="Message to everybody"
            placeholder="Message to everybody"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
            }}
          />
          <button type="submit" className="send-button" aria-label="Send" disabled={text.trim() === ""}>
            <SendIcon />
          </button>
        </form>
      ) : (
        <p className="empty">You may read here, but not write.</p>
      )}
    </div>
  );
}

/** Messages of one person within this time stand under one name. */
const togetherMs = 120_000;

function Message(props: { readonly message: ChatMessage; readonly before: ChatMessage | undefined }): ReactElement {
  const { message, before } = props;
  const isFollowing =
    before !== undefined && before.from === message.from && message.atUnixMs - before.atUnixMs < togetherMs;
  return (
    <article className={`message${message.isOwn ? " is-own" : ""}${message.failed ? " is-failed" : ""}`}>
      {isFollowing ? null : (
        <header>
          <strong>{message.isOwn ? "You" : message.from}</strong>
          <time dateTime={new Date(message.atUnixMs).toISOString()}>{clock.format(message.atUnixMs)}</time>
        </header>
      )}
      <p>
        {linkPieces(message.text).map((piece, index) =>
          piece.href === undefined ? (
            <span key={index}>{piece.text}</span>
          ) : (
            <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer">
              {piece.text}
            </a>
          ),
        )}
      </p>
      {message.failed ? <small>Not sent</small> : null}
    </article>
  );
}
