import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef } from "react";

const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/**
 * One stop for Tab among many buttons, arrow keys, Home and End between them (WAI-ARIA Authoring Practices, "Toolbar"). Put the
 * reference and the listeners on the element around the buttons.
 */
export function useRoving<E extends HTMLElement>(): {
  readonly ref: RefObject<E | null>;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onFocus: (event: { readonly target: EventTarget }) => void;
} {
  const ref = useRef<E>(null);
  const current = useRef<Element | undefined>(undefined);
  const buttons = (): readonly HTMLButtonElement[] => [
    ...(ref.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? []),
  ];
  const mark = (): void => {
    const all = buttons();
    const stop = all.find((one) => one === current.current) ?? all[0];
    for (const one of all) one.tabIndex = one === stop ? 0 : -1;
  };
  // After every drawing: buttons come and go.
  useLayoutEffect(mark);
  return {
    ref,
    onKeyDown: (event) => {
      const all = buttons();
      const at = all.findIndex((one) => one === event.target);
      const step = steps[event.key];
      if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
      const ends: Readonly<Record<string, number>> = { Home: 0, End: all.length - 1 };
      const to = step === undefined ? ends[event.key] : (at + step + all.length) % all.length;
      if (to === undefined) return;
      event.preventDefault();
      all[to]?.focus();
    },
    onFocus: ({ target }) => {
      if (!(target instanceof HTMLButtonElement)) return;
      current.current = target;
      mark();
    },
  };
}
