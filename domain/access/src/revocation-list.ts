/** Which token, or which tokens of a user, are no longer good. */
export type Revocation =
  | { readonly type: "token"; readonly appId: string; readonly tokenId: string }
  /** All of the user's tokens that were issued up to `issuedUntilUnixMs` (and those that do not say when). */
  | {
      readonly type: "subject";
      readonly appId: string;
      readonly subject: string;
      readonly issuedUntilUnixMs: number;
    };

interface RevocableToken {
  readonly appId: string;
  readonly subject: string;
  readonly tokenId: string | undefined;
  readonly issuedAtUnixMs: number | undefined;
}

interface Entry {
  readonly issuedUntilUnixMs: number;
  readonly keepUntilUnixMs: number;
}

/** Some 100 bytes each. Beyond it the oldest go: a flood of revocations must not exhaust memory. */
const maxEntries = 100_000;

/** Tokens that were taken back before they expired. Soft state: whoever owns the list announces it again. */
export class RevocationList {
  readonly #entries = new Map<string, Entry>();

  /** `keepUntilUnixMs`: when the last token it can concern has expired. */
  add(revocation: Revocation, keepUntilUnixMs: number, nowUnixMs: number): void {
    const key = keyOf(revocation.type, revocation.appId, idOf(revocation));
    const known = this.#entries.get(key);
    const issuedUntilUnixMs = revocation.type === "subject" ? revocation.issuedUntilUnixMs : Infinity;
    this.#entries.delete(key);
    this.#entries.set(key, {
      issuedUntilUnixMs: Math.max(issuedUntilUnixMs, known?.issuedUntilUnixMs ?? 0),
      keepUntilUnixMs: Math.max(keepUntilUnixMs, known?.keepUntilUnixMs ?? 0),
    });
    if (this.#entries.size > maxEntries) this.#shrink(nowUnixMs);
  }

  has(token: RevocableToken): boolean {
    if (this.#entries.size === 0) return false;
    if (token.tokenId !== undefined && this.#entries.has(keyOf("token", token.appId, token.tokenId))) return true;
    const bySubject = this.#entries.get(keyOf("subject", token.appId, token.subject));
    return bySubject !== undefined && (token.issuedAtUnixMs ?? 0) <= bySubject.issuedUntilUnixMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  #shrink(nowUnixMs: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.keepUntilUnixMs <= nowUnixMs) this.#entries.delete(key);
    }
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(key);
    }
  }
}

function idOf(revocation: Revocation): string {
  return revocation.type === "token" ? revocation.tokenId : revocation.subject;
}

function keyOf(type: Revocation["type"], appId: string, id: string): string {
  // Names hold no control characters (isValidName), so NUL separates them safely.
  return `${type}\0${appId}\0${id}`;
}
