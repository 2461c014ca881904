/** Whether `subject` can be published to: non-empty tokens without wildcards or white space. */
export function isSubject(subject: string): boolean {
  return subject.split(".").every((token) => /^[^\s*>]+$/.test(token));
}

/** Whether `pattern` can be subscribed to: `*` stands for one token, a last `>` for one or more. */
export function isPattern(pattern: string): boolean {
  const tokens = pattern.split(".");
  return tokens.every((token, index) => {
    if (token === "*") return true;
    if (token === ">") return index === tokens.length - 1;
    return /^[^\s*>]+$/.test(token);
  });
}

export function hasWildcard(pattern: string): boolean {
  return pattern.split(".").some((token) => token === "*" || token === ">");
}

/** A wildcard pattern, cut up once. */
export class SubjectPattern {
  readonly #tokens: readonly string[];
  readonly #open: boolean;

  constructor(pattern: string) {
    const tokens = pattern.split(".");
    this.#open = tokens.at(-1) === ">";
    this.#tokens = this.#open ? tokens.slice(0, -1) : tokens;
  }

  matches(subjectTokens: readonly string[]): boolean {
    if (this.#open ? subjectTokens.length <= this.#tokens.length : subjectTokens.length !== this.#tokens.length)
      return false;
    return this.#tokens.every((token, index) => token === "*" || token === subjectTokens[index]);
  }
}
