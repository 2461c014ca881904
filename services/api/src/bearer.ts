import type { TokenVerifier, VerifiedToken } from "@parley/domain-access";
import { err, type Result } from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";

/** The token of an Authorization header (RFC 6750 2.1), verified. */
export function verifyBearer(
  authorization: string | undefined,
  tokens: Pick<TokenVerifier, "verify">,
  nowUnixMs: number,
): Result<VerifiedToken, ParleyError> {
  if (authorization === undefined) return err(parleyError("token-missing"));
  const match = /^Bearer +(\S+) *$/i.exec(authorization);
  if (match?.[1] === undefined)
    return err(parleyError("token-malformed", "The header is not of the form Bearer TOKEN."));
  return tokens.verify(match[1], nowUnixMs);
}
