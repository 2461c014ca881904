import { createHmac, timingSafeEqual } from "node:crypto";
import { err, fromBase64url, ok, type Result } from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";
import { parseClaims, type TokenGrants } from "./claims.ts";
import { RevocationList, type KeptRevocation } from "./revocation-list.ts";

/** An app is a tenant. An app may have several keys, so that one can be replaced without a break. */
export interface App {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

export interface VerifiedToken {
  readonly appId: string;
  /** The user. */
  readonly subject: string;
  readonly tokenId: string | undefined;
  readonly issuedAtUnixMs: number | undefined;
  readonly expiresAtUnixMs: number;
  readonly grants: TokenGrants;
}

export interface TokenVerifierOptions {
  readonly apps: readonly App[];
  /** How far another machine's clock may be ahead of ours before its fresh tokens count as not yet valid. */
  readonly leewayMs?: number;
  readonly maxTokenBytes?: number;
  readonly maxCached?: number;
}

/** Clocks kept by NTP differ by less; a larger value only delays a `nbf`. */
const defaultLeewayMs = 5_000;
/** Fits HTTP headers everywhere (8 kB in all), and leaves room for attributes. */
const defaultMaxTokenBytes = 4_096;
/** About a kilobyte each. */
const defaultMaxCached = 10_000;

/** Checks tokens (JWT, RFC 7519, with HS256, RFC 7518 section 3.2). Keeps good ones until they expire, so that a repeated check costs nothing. */
export class TokenVerifier {
  readonly #apps: ReadonlyMap<string, App>;
  readonly #leewayMs: number;
  readonly #maxTokenBytes: number;
  readonly #maxCached: number;
  readonly #cache = new Map<string, VerifiedToken & { readonly notBeforeUnixMs: number }>();
  readonly #revocations = new RevocationList();

  constructor(options: TokenVerifierOptions) {
    this.#apps = new Map(options.apps.map((app) => [app.key, app]));
    this.#leewayMs = options.leewayMs ?? defaultLeewayMs;
    this.#maxTokenBytes = options.maxTokenBytes ?? defaultMaxTokenBytes;
    this.#maxCached = options.maxCached ?? defaultMaxCached;
  }

  /** The token's content if it is genuine and good at `nowUnixMs`. What it allows is {@link TokenGrants}; see `authorize`. */
  verify(token: string, nowUnixMs: number): Result<VerifiedToken, ParleyError> {
    if (token === "") return refuse("token-missing");
    if (token.length > this.#maxTokenBytes) return refuse("token-too-large");
    let verified = this.#cache.get(token);
    if (verified === undefined) {
      const fresh = this.#verifySignature(token);
      if (!fresh.ok) return fresh;
      verified = fresh.value;
    }
    if (nowUnixMs >= verified.expiresAtUnixMs) {
      this.#cache.delete(token);
      return refuse("token-expired");
    }
    if (nowUnixMs + this.#leewayMs < verified.notBeforeUnixMs) return refuse("token-not-yet-valid");
    if (this.#revocations.has(verified)) return refuse("token-revoked");
    this.#remember(token, verified);
    return ok(verified);
  }

  /** From now on the token, or the user's tokens, are refused. False: the app has as many revocations as it may, and this one was not taken. */
  revoke(kept: KeptRevocation, nowUnixMs: number): boolean {
    return this.#revocations.add(kept, nowUnixMs);
  }

  /** The revocations that still matter. */
  revocations(nowUnixMs: number): KeptRevocation[] {
    return this.#revocations.current(nowUnixMs);
  }

  /** Whether a token that was good when it was verified has been revoked since (for connections that live on). */
  isRevoked(token: VerifiedToken): boolean {
    return this.#revocations.has(token);
  }

  get cachedCount(): number {
    return this.#cache.size;
  }

  #verifySignature(token: string): Result<VerifiedToken & { readonly notBeforeUnixMs: number }, ParleyError> {
    const [header = "", payload = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0 || signature === "") return refuse("token-malformed");
    if (!isHs256Header(decodeJson(header))) return refuse("token-malformed", "The algorithm must be HS256.");
    const claims = parseClaims(decodeJson(payload));
    if (!claims.ok) return refuse("token-malformed", `Wrong: ${claims.error}.`);
    const { issuer, notBeforeUnixMs, ...content } = claims.value;
    const app = this.#apps.get(issuer);
    if (app === undefined) return refuse("token-unknown-app");
    const given = fromBase64url(signature);
    const wanted = createHmac("sha256", app.secret).update(`${header}.${payload}`).digest();
    if (given === undefined || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      return refuse("token-bad-signature");
    }
    return ok({ ...content, appId: app.id, notBeforeUnixMs: notBeforeUnixMs ?? 0 });
  }

  #remember(token: string, verified: VerifiedToken & { readonly notBeforeUnixMs: number }): void {
    if (this.#cache.has(token)) return;
    if (this.#cache.size >= this.#maxCached) {
      // The oldest; one that is still in use comes back at the price of one check.
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    this.#cache.set(token, verified);
  }
}

function refuse(name: ParleyError["name"], detail?: string): Result<never, ParleyError> {
  return err(parleyError(name, detail));
}

function decodeJson(part: string): unknown {
  const bytes = fromBase64url(part);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** The algorithm is ours, never the token's choice; `crit` (RFC 7515 section 4.1.11) asks for what we do not know. */
function isHs256Header(header: unknown): boolean {
  if (typeof header !== "object" || header === null) return false;
  const { alg, crit } = header as { readonly alg?: unknown; readonly crit?: unknown };
  return alg === "HS256" && crit === undefined;
}
