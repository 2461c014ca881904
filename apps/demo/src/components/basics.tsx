import { type ReactElement, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { CloseIcon, LogoIcon } from "./icons.tsx";

/** Whether a media query holds, and whenever that changes. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = (): void => setHolds(list.matches);
    look();
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return holds;
}

/** Where the bar has room for everything. */
export const phoneQuery = "(max-width: 700px), (max-height: 430px)";

export function Logo(): ReactElement {
  return (
    <span className="logo">
      <LogoIcon />
      <span>Parley</span>
    </span>
  );
}

/** A window over the page; the browser keeps the focus in it and gives it back. Escape closes it. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly className?: string;
}): ReactElement {
  const { title, onClose, children, className = "" } = props;
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const dialog = element.current;
    if (dialog === null) return;
    const before = document.activeElement;
    // Browsers may close it without asking: at a second Escape, or with the back gesture.
    dialog.onclose = () => close.current();
    dialog.showModal();
    return () => {
      dialog.onclose = null;
      dialog.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={`dialog ${className}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div className="dialog-box">
        <header className="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="plain-button" aria-label="Close" onClick={onClose}>
            <CloseIcon />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function Switch(props: {
  readonly label: string;
  readonly hint?: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}): ReactElement {
  const { label, hint, checked, onChange } = props;
  const hintId = useId();
  return (
    <label className="switch">
      <span className="switch-text">
        <span>{label}</span>
        {hint === undefined ? null : (
          <small id={hintId} className="hint">
            {hint}
          </small>
        )}
      </span>
      <input
        type="checkbox"
        role="switch"
        aria-label={label}
        {...(hint === undefined ? {} : { "aria-describedby": hintId })}
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
    </label>
  );
}

export function Select<T extends string>(props: {
  readonly label: string;
  readonly hint?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
  readonly disabled?: boolean;
}): ReactElement {
  const { label, hint, value, options, onChange, disabled = false } = props;
  return (
    <label className="field">
      <span>
        {label}
        {hint === undefined ? null : <small className="hint"> {hint}</small>}
      </span>
      <select value={value} disabled={disabled} onChange={(event) => onChange(event.target.value as T)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** First letters of the first and the last word. */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== "");
  const first = [...(words[0] ?? "?")][0] ?? "?";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + last).toUpperCase();
}

const avatarColours = 8;

/** The class of somebody's colour: the same name has the same one everywhere. FNV-1a, because near names should differ. */
export function colourOf(name: string): string {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return `colour-${(hash >>> 13) % avatarColours}`;
}

export function Avatar(props: { readonly name: string; readonly small?: boolean }): ReactElement {
  return (
    <span className={`avatar ${colourOf(props.name)}${props.small === true ? " avatar-small" : ""}`} aria-hidden="true">
      {initialsOf(props.name)}
    </span>
  );
}
