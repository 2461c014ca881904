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

/** A revocation with the time at which it may be forgotten. */
export interface KeptRevocation {
  readonly revocation: Revocation;
  /** When the last token it can concern has expired; `Infinity`: never. */
  readonly keepUntilUnixMs: number;
}

interface RevocableToken {
  readonly appId: string;
  readonly subject: string;
  readonly tokenId: string | undefined;
  readonly issuedAtUnixMs: number | undefined;
}

/** Some 300 bytes each. */
const defaultMaxPerApp = 100_000;

/**
 * Tokens that were taken back before they expired. None is dropped to make room for another: a token that was taken back must not become good
 * again. So an app that has too many is told, and others are not affected.
 */
export class RevocationList {
  readonly #maxPerApp: number;
  /** By app, then by kind and id. */
  readonly #apps = new Map<string, Map<string, KeptRevocation>>();

  constructor(maxPerApp = defaultMaxPerApp) {
    this.#maxPerApp = maxPerApp;
  }

  /** False: the app has as many as it may, and this one was not taken. */
  add({ revocation, keepUntilUnixMs }: KeptRevocation, nowUnixMs: number): boolean {
    const entries = this.#apps.get(revocation.appId) ?? new Map<string, KeptRevocation>();
    const key = keyOf(revocation);
    const known = entries.get(key);
    if (known === undefined && entries.size >= this.#maxPerApp) dropExpired(entries, nowUnixMs);
    if (known === undefined && entries.size >= this.#maxPerApp) return false;
    this.#apps.set(revocation.appId, entries);
    entries.set(key, {
      revocation: laterOf(revocation, known?.revocation),
      keepUntilUnixMs: Math.max(keepUntilUnixMs, known?.keepUntilUnixMs ?? 0),
    });
    return true;
  }

  has({ appId, subject, tokenId, issuedAtUnixMs }: RevocableToken): boolean {
    const entries = this.#apps.get(appId);
    if (entries === undefined) return false;
    if (tokenId !== undefined && entries.has(`token ${tokenId}`)) return true;
    const bySubject = entries.get(`subject ${subject}`)?.revocation;
    return bySubject?.type === "subject" && (issuedAtUnixMs ?? 0) <= bySubject.issuedUntilUnixMs;
  }

  /** Those that still matter; the others are forgotten. */
  current(nowUnixMs: number): KeptRevocation[] {
    const all: KeptRevocation[] = [];
    for (const [appId, entries] of this.#apps) {
      dropExpired(entries, nowUnixMs);
      if (entries.size === 0) this.#apps.delete(appId);
      all.push(...entries.values());
    }
    return all;
  }

  get size(): number {
    let size = 0;
    for (const entries of this.#apps.values()) size += entries.size;
    return size;
  }
}

function dropExpired(entries: Map<string, KeptRevocation>, nowUnixMs: number): void {
  for (const [key, { keepUntilUnixMs }] of entries) if (keepUntilUnixMs <= nowUnixMs) entries.delete(key);
}

function keyOf(revocation: Revocation): string {
  return revocation.type === "token" ? `token ${revocation.tokenId}` : `subject ${revocation.subject}`;
}

/** Of two for one user, the one that concerns more tokens. */
function laterOf(fresh: Revocation, known: Revocation | undefined): Revocation {
  if (fresh.type !== "subject" || known?.type !== "subject") return fresh;
  return known.issuedUntilUnixMs > fresh.issuedUntilUnixMs ? known : fresh;
}
