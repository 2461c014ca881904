import type { ReactElement } from "react";
import type { Notice } from "../meeting/notices.ts";
import { CloseIcon, WarningIcon } from "./icons.tsx";

/** Messages in the corner. One polite region, there from the beginning: screen readers announce only what changes in one they know. */
export function NoticeList(props: {
  readonly notices: readonly Notice[];
  readonly onDismiss: (key: number) => void;
  /** While somebody reads or is about to press a button, nothing goes away. */
  readonly onHold: (isHeld: boolean) => void;
}): ReactElement {
  const { onHold } = props;
  return (
    <div
      className="notices"
      role="status"
      aria-live="polite"
      aria-atomic="false"
      aria-relevant="additions"
      onMouseEnter={() => onHold(true)}
      onMouseLeave={() => onHold(false)}
      onFocus={() => onHold(true)}
      onBlur={() => onHold(false)}
    >
      {props.notices.map(({ key, tone, title, text, action }) => (
        <div key={key} className={`notice notice-${tone}`}>
          {tone === "info" ? null : <WarningIcon />}
          <div className="notice-text">
            <strong>{title}</strong>
            {text === "" ? null : <p>{text}</p>}
          </div>
          {action === undefined ? null : (
            <button
              type="button"
              className="small-button"
              onClick={() => {
                action.run();
                props.onDismiss(key);
              }}
            >
              {action.label}
            </button>
          )}
          <button type="button" className="plain-button" aria-label="Dismiss" onClick={() => props.onDismiss(key)}>
            <CloseIcon />
          </button>
        </div>
      ))}
    </div>
  );
}
