/** A short message in the corner, read out by screen readers. */
export interface Notice {
  readonly key: number;
  readonly tone: "info" | "warning" | "error";
  readonly title: string;
  readonly text: string;
  /** One thing that can be done about it. */
  readonly action: { readonly label: string; readonly run: () => void } | undefined;
  /** Replaces an earlier one with the same topic. */
  readonly topic: string | undefined;
}

export type NewNotice = Pick<Notice, "title"> & Partial<Omit<Notice, "key" | "title">>;

const maxShown = 4;
/** Long enough to read aloud; what can be acted upon stays longer. */
const shownMs = 5_000;
const shownWithActionMs = 20_000;

/** The messages that are shown now. */
export class Notices {
  #shown: readonly Notice[] = [];
  #nextKey = 1;
  #isHeld = false;
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get shown(): readonly Notice[] {
    return this.#shown;
  }

  add(notice: NewNotice): void {
    const key = this.#nextKey++;
    const { tone = "info", text = "", action, topic, title } = notice;
    const kept = this.#shown.filter((one) => topic === undefined || one.topic !== topic);
    this.#shown = [...kept, { key, tone, title, text, action, topic }].slice(-maxShown);
    this.#expire(key, action === undefined ? shownMs : shownWithActionMs);
    this.#onChange();
  }

  /** While held, nothing goes away by itself. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  #expire(key: number, afterMs: number): void {
    setTimeout(() => {
      if (this.#isHeld) this.#expire(key, shownMs);
      else this.dismiss(key);
    }, afterMs);
  }

  dismiss(key: number): void {
    if (!this.#shown.some((one) => one.key === key)) return;
    this.#shown = this.#shown.filter((one) => one.key !== key);
    this.#onChange();
  }

  dismissTopic(topic: string): void {
    for (const { key, topic: own } of this.#shown) if (own === topic) this.dismiss(key);
  }
}
