import { isValidName, err, ok, type Result } from "@parley/foundation";

/** Sources by their names in tokens. */
export const sourceNames = ["camera", "microphone", "screen", "screen_audio", "custom"] as const;
export type SourceName = (typeof sourceNames)[number];

export const roleNames = ["host", "speaker", "viewer"] as const;
export type RoleName = (typeof roleNames)[number];

/** The payload of a token as it is written (docs/guides/tokens.md). Times are seconds since 1970 (RFC 7519 section 2). */
export interface TokenClaims {
  /** The app key. */
  readonly iss: string;
  /** The user, unique in the app. */
  readonly sub: string;
  readonly exp: number;
  readonly nbf?: number;
  readonly iat?: number;
  /** The token's own id, for revocation. */
  readonly jti?: string;
  /** The only room it is good for; absent: every room of the app. */
  readonly room?: string;
  readonly publish?: boolean;
  readonly subscribe?: boolean;
  /** What may be published; absent: everything. */
  readonly sources?: readonly SourceName[];
  /** Data messages; absent: as `publish`. */
  readonly canPublishData?: boolean;
  /** Host commands. */
  readonly roomAdmin?: boolean;
  /** May make a room by joining it first; absent: yes. */
  readonly roomCreate?: boolean;
  /** Speaks for the app itself (its servers): may take tokens back. Never for clients. */
  readonly appAdmin?: boolean;
  /** Absent: host with `roomAdmin`, else speaker with `publish`, else viewer. */
  readonly role?: RoleName;
  /** Not shown to others. */
  readonly hidden?: boolean;
  /** Shown to others. */
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** What a token allows, with all defaults filled in. */
export interface TokenGrants {
  readonly room: string | undefined;
  readonly publish: boolean;
  readonly subscribe: boolean;
  /** Undefined: all. */
  readonly sources: ReadonlySet<SourceName> | undefined;
  readonly publishData: boolean;
  readonly moderate: boolean;
  readonly createRoom: boolean;
  readonly appAdmin: boolean;
  readonly role: RoleName;
  readonly hidden: boolean;
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface ParsedClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly expiresAtUnixMs: number;
  readonly notBeforeUnixMs: number | undefined;
  readonly issuedAtUnixMs: number | undefined;
  readonly tokenId: string | undefined;
  readonly grants: TokenGrants;
}

/** Enough for what an app shows about a person; the token's size limits the whole. */
const maxAttributes = 64;

/** Reads a decoded payload; the error names the claim that is wrong. Unknown claims are ignored (RFC 7519 section 4). */
export function parseClaims(payload: unknown): Result<ParsedClaims, string> {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return err("payload");
  const claims = payload as Readonly<Record<string, unknown>>;
  // Own properties only: a payload must not inherit grants.
  const claim = (name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined);

  const { iss, sub, jti, room, name, role } = Object.fromEntries(
    ["iss", "sub", "jti", "room", "name", "role"].map((key) => [key, claim(key)]),
  );
  if (!isName(iss)) return err("iss");
  if (!isName(sub)) return err("sub");
  if (jti !== undefined && !isName(jti)) return err("jti");
  if (room !== undefined && !isName(room)) return err("room");
  if (name !== undefined && name !== "" && !isName(name)) return err("name");
  if (role !== undefined && !isOneOf(roleNames, role)) return err("role");

  const exp = claim("exp");
  const nbf = claim("nbf");
  const iat = claim("iat");
  if (!isNumericDate(exp)) return err("exp");
  if (nbf !== undefined && !isNumericDate(nbf)) return err("nbf");
  if (iat !== undefined && !isNumericDate(iat)) return err("iat");

  const flags = readFlags(claim);
  if (!flags.ok) return flags;
  const sources = readSources(claim("sources"));
  if (!sources.ok) return sources;
  const attributes = readAttributes(claim("attributes"));
  if (!attributes.ok) return attributes;

  const { publish = false, subscribe = false, canPublishData, roomAdmin, roomCreate, appAdmin, hidden } = flags.value;
  const moderate = roomAdmin ?? role === "host";
  return ok({
    issuer: iss,
    subject: sub,
    expiresAtUnixMs: exp * 1000,
    notBeforeUnixMs: nbf === undefined ? undefined : nbf * 1000,
    issuedAtUnixMs: iat === undefined ? undefined : iat * 1000,
    tokenId: jti,
    grants: {
      room,
      publish,
      subscribe,
      sources: sources.value,
      publishData: canPublishData ?? publish,
      moderate,
      createRoom: roomCreate ?? true,
      appAdmin: appAdmin ?? false,
      role: role ?? (moderate ? "host" : publish ? "speaker" : "viewer"),
      hidden: hidden ?? false,
      name: name ?? "",
      attributes: attributes.value,
    },
  });
}

const flagNames = ["publish", "subscribe", "canPublishData", "roomAdmin", "roomCreate", "appAdmin", "hidden"] as const;
type Flags = Partial<Record<(typeof flagNames)[number], boolean>>;

function readFlags(claim: (name: string) => unknown): Result<Flags, string> {
  const flags: Flags = {};
  for (const name of flagNames) {
    const value = claim(name);
    if (value === undefined) continue;
    if (typeof value !== "boolean") return err(name);
    flags[name] = value;
  }
  return ok(flags);
}

function readSources(value: unknown): Result<ReadonlySet<SourceName> | undefined, string> {
  if (value === undefined) return ok(undefined);
  if (!Array.isArray(value)) return err("sources");
  const sources = new Set<SourceName>();
  for (const item of value as readonly unknown[]) {
    if (!isOneOf(sourceNames, item)) return err("sources");
    sources.add(item);
  }
  return ok(sources);
}

function readAttributes(value: unknown): Result<ReadonlyMap<string, string>, string> {
  if (value === undefined) return ok(new Map());
  if (typeof value !== "object" || value === null || Array.isArray(value)) return err("attributes");
  const entries = Object.entries(value as Readonly<Record<string, unknown>>);
  if (entries.length > maxAttributes) return err("attributes");
  const attributes = new Map<string, string>();
  for (const [key, text] of entries) {
    if (!isValidName(key) || typeof text !== "string" || !text.isWellFormed()) return err("attributes");
    attributes.set(key, text);
  }
  return ok(attributes);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && isValidName(value);
}

/** The year 9999: anything later is a mistake (milliseconds instead of seconds, most often). */
const latestNumericDate = 253_402_300_799;

function isNumericDate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= latestNumericDate;
}

function isOneOf<const T extends string>(names: readonly T[], value: unknown): value is T {
  return (names as readonly unknown[]).includes(value);
}
