import { createHmac } from "node:crypto";
import { toBase64url } from "@parley/foundation";
import type { TokenClaims } from "./claims.ts";

const header = toBase64url(new TextEncoder().encode('{"alg":"HS256","typ":"JWT"}'));

/** A signed token (RFC 7515 compact form, HS256). The claims are taken as they are. */
export function mintToken(claims: TokenClaims, secret: string): string {
  const payload = toBase64url(new TextEncoder().encode(JSON.stringify(claims)));
  const signed = `${header}.${payload}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
