import type { KeptRevocation } from "@parley/domain-access";
import { isValidName } from "@parley/foundation";
import { parleyError } from "@parley/protocol";
import { Type, type Static } from "typebox";
import type { FastifyInstance } from "fastify";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { verifyBearer } from "./bearer.ts";
import { clientAddress } from "./client-address.ts";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import { sendProblem } from "./problem.ts";

export const revocationsUrl = "/v1/revocations";
export const jsonType = "application/json";

/** Seconds since 1970, as in tokens, up to the year 9999. */
const numericDate = Type.Number({ minimum: 0, maximum: 253_402_300_799 });
const body = Type.Object(
  {
    /** The `jti` of one token. */
    tokenId: Type.Optional(Type.String()),
    /** The `sub` of the tokens. */
    user: Type.Optional(Type.String()),
    /** With `user`: tokens issued up to then; absent: up to now. */
    issuedUntil: Type.Optional(numericDate),
    /** When the last of the tokens has expired; absent: it is kept for good. */
    until: Type.Optional(numericDate),
  },
  { additionalProperties: false },
);
const maxBodyBytes = 4_096;

/** An app's server takes tokens back: docs/guides/tokens.md. */
export function revocationRoutes(app: FastifyInstance, context: ApiContext): void {
  const options = { schema: { body }, bodyLimit: maxBodyBytes };
  app.withTypeProvider<TypeBoxTypeProvider>().post(revocationsUrl, options, async (request, reply) => {
    const { clock, requests, revocations, tokens } = context;
    const waitMs = requests.take(clientAddress(context, request), clock.monoMs());
    if (waitMs > 0) return sendProblem(reply, parleyError("rate-limited"), { retryAfterMs: waitMs });
    const token = verifyBearer(request.headers.authorization, tokens, clock.unixMs());
    if (!token.ok) return sendProblem(reply, token.error);
    if (!token.value.grants.appAdmin) return sendProblem(reply, parleyError("grant-missing", "Missing: appAdmin."));
    const kept = read(request.body, token.value.appId, clock.unixMs());
    if (typeof kept === "string") return sendProblem(reply, parleyError("bad-request", kept));
    const taken = await revocations.take(kept);
    return taken.ok ? reply.code(204).send() : sendProblem(reply, taken.error);
  });
  closeMethods(app, revocationsUrl, ["POST"], { "accept-post": jsonType });
}

/** What is wrong, or what is meant. */
function read(request: Static<typeof body>, appId: string, nowUnixMs: number): KeptRevocation | string {
  const { tokenId, user, issuedUntil, until } = request;
  const keepUntilUnixMs = until === undefined ? Infinity : until * 1000;
  if (keepUntilUnixMs <= nowUnixMs) return "until is over: those tokens have expired.";
  if (tokenId !== undefined && user === undefined) {
    if (!isValidName(tokenId)) return "tokenId is not a token's id.";
    if (issuedUntil !== undefined) return "issuedUntil goes with user.";
    return { revocation: { type: "token", appId, tokenId }, keepUntilUnixMs };
  }
  if (user !== undefined && tokenId === undefined) {
    if (!isValidName(user)) return "user is not a user's name.";
    // Tokens say when they were issued in whole seconds: those of this second are meant, too.
    const issuedUntilUnixMs = Math.min(nowUnixMs, (issuedUntil ?? Infinity) * 1000);
    return { revocation: { type: "subject", appId, subject: user, issuedUntilUnixMs }, keepUntilUnixMs };
  }
  return "Either tokenId or user is needed.";
}
