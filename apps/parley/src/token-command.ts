import { mintToken, parseClaims, roleNames, sourceNames, type TokenClaims } from "@parley/domain-access";
import { err, ok, type Result } from "@parley/foundation";
import { parseDurationMs, unknownFlag } from "./command-line.ts";

export const tokenSwitches = new Set(["publish", "subscribe", "admin", "app-admin", "hidden", "dev"]);

const valueFlags = [
  "app",
  "user",
  "room",
  "ttl",
  "id",
  "name",
  "role",
  "sources",
  "attribute",
  "key",
  "secret",
  "config",
];

export const tokenHelp = `parley token --user NAME [flags]     prints a token for one user
  --dev | --key KEY --secret SECRET | --config FILE [--app KEY]   which app signs it
  --user NAME           the user (required)
  --room ROOM           the only room it is good for; without it: every room
  --publish             may publish
  --subscribe           may watch
  --sources LIST        what may be published: ${sourceNames.join(",")}
  --role ROLE           ${roleNames.join(", ")}
  --admin               may give host commands
  --app-admin           speaks for the app: may take tokens back; never for clients
  --hidden              is not shown to others
  --name NAME           shown to others
  --attribute KEY=VALUE shown to others; may be repeated
  --ttl TIME            how long it is good: 90s, 15m, 12h, 30d (default 6h)
  --id ID               the token's own id, for revocation (default: random)`;

const defaultTtlMs = 6 * 3_600_000;

export interface TokenSigner {
  readonly key: string;
  readonly secret: string;
}

/** The token that the flags describe. */
export function makeToken(
  flags: readonly (readonly [string, string])[],
  signer: TokenSigner,
  options: { readonly nowUnixMs: number; readonly freshId: string },
): Result<string, string> {
  const known = [...tokenSwitches, ...valueFlags];
  const attributes: Record<string, string> = {};
  const values = new Map<string, string>();
  for (const [name, text] of flags) {
    if (!known.includes(name)) return err(unknownFlag(name, known));
    if (name === "attribute") {
      const [key = "", ...value] = text.split("=");
      attributes[key] = value.join("=");
    } else values.set(name, text);
  }
  const ttlMs = parseDurationMs(values.get("ttl") ?? `${defaultTtlMs / 1000}s`);
  if (ttlMs === undefined) return err("--ttl must be a number with a unit, such as 90s, 15m, 12h or 30d");
  if (!values.has("user")) return err("--user is needed");
  const issuedAt = Math.floor(options.nowUnixMs / 1000);
  const optional: Readonly<Record<string, unknown>> = {
    room: values.get("room"),
    publish: values.has("publish") || undefined,
    subscribe: values.has("subscribe") || undefined,
    sources: values.get("sources")?.split(","),
    role: values.get("role"),
    roomAdmin: values.has("admin") || undefined,
    appAdmin: values.has("app-admin") || undefined,
    hidden: values.has("hidden") || undefined,
    name: values.get("name"),
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  };
  const claims = {
    iss: signer.key,
    sub: values.get("user"),
    iat: issuedAt,
    exp: issuedAt + Math.ceil(ttlMs / 1000),
    jti: values.get("id") ?? options.freshId,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
  // The server reads it the same way, so what is refused here would be refused there.
  const parsed = parseClaims(claims);
  if (!parsed.ok) return err(`the value of ${flagOfClaim[parsed.error] ?? parsed.error} is not valid`);
  return ok(mintToken(claims as TokenClaims, signer.secret));
}

const flagOfClaim: Readonly<Record<string, string>> = {
  iss: "--key",
  sub: "--user",
  exp: "--ttl",
  jti: "--id",
  room: "--room",
  name: "--name",
  role: "--role",
  sources: "--sources",
  attributes: "--attribute",
};
