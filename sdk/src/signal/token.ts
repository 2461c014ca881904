import { fromBase64url } from "@parley/foundation";
import type { TokenSource } from "../api/options.ts";

export async function readToken(source: TokenSource): Promise<string> {
  return typeof source === "string" ? source : await source();
}

/** The room a token is for, read without checking anything; undefined: any, or it cannot be read. */
export function roomOfToken(token: string): string | undefined {
  const bytes = fromBase64url(token.split(".")[1] ?? "");
  if (bytes === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null || !("room" in claims)) return undefined;
    return typeof claims.room === "string" ? claims.room : undefined;
  } catch {
    return undefined;
  }
}

/** The WebSocket's address from the server's: http(s) becomes ws(s), the path is ours unless one is given. */
export function connectUrl(url: string): string | undefined {
  let parsed: URL;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch {
    return undefined;
  }
  if (parsed.protocol === "http:") parsed.protocol = "ws:";
  if (parsed.protocol === "https:") parsed.protocol = "wss:";
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") return undefined;
  if (!parsed.pathname.endsWith("/v1/connect")) parsed.pathname = `${parsed.pathname.replace(/\/$/, "")}/v1/connect`;
  parsed.hash = "";
  return parsed.href;
}
