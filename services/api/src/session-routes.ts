import type { VerifiedToken } from "@parley/domain-access";
import { parseTrickleFragment, writeTrickleFragment, type TrickleFragment } from "@parley/domain-media-control";
import { err, ok, randomId, type Result } from "@parley/foundation";
import { parleyError, type ErrorName, type ParleyError } from "@parley/protocol";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { verifyBearer } from "./bearer.ts";
import { clientAddress } from "./client-address.ts";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import { fragmentType, sessionName } from "./post-session.ts";
import { sendProblem } from "./problem.ts";
import type { Resource } from "./resources.ts";

interface SessionUrl {
  readonly Params: { readonly id: string };
}

const url = "/v1/sessions/:id";

/** The session that a POST made: PATCH for trickle ICE and ICE restarts (RFC 9725 4.3), DELETE ends it. */
export function sessionRoutes(app: FastifyInstance, context: ApiContext): void {
  app.patch<SessionUrl>(url, async (request, reply) => {
    const found = find(context, request, request.params.id);
    return found.ok ? patch(context, request, reply, found.value) : sendEnd(reply, found.error);
  });
  app.delete<SessionUrl>(url, (request, reply) => {
    const found = find(context, request, request.params.id);
    if (!found.ok) return sendEnd(reply, found.error);
    const { resource } = found.value;
    context.resources.remove(resource.id);
    context.rooms.gone(resource.appId, resource.id);
    return reply.code(200).send();
  });
  closeMethods(app, url, ["PATCH", "DELETE"], { "accept-patch": fragmentType });
}

interface Found {
  readonly resource: Resource;
  readonly token: VerifiedToken;
}

/** The resource, for its own user only. Who has no right to it learns nothing of it. */
function find(context: ApiContext, request: FastifyRequest, id: string): Result<Found, ParleyError> {
  const token = verifyBearer(request.headers.authorization, context.tokens, context.clock.unixMs());
  if (!token.ok) return token;
  const resource = context.resources.get(id);
  if (resource === undefined) return err(parleyError(context.resources.endOf(id) ?? "session-not-found"));
  const { appId, subject } = token.value;
  if (resource.appId !== appId || resource.userId !== subject) return err(parleyError("session-not-found"));
  return ok({ resource, token: token.value });
}

/** These ends are for good; after any other the client may make a new session. */
const finalEnds: ReadonlySet<ErrorName> = new Set(["replaced", "removed", "banned", "room-closed"]);
const authErrors = /^token-/;

function sendEnd(reply: FastifyReply, error: ParleyError): FastifyReply {
  if (finalEnds.has(error.name)) return sendProblem(reply, error, { statusInstead: 410 });
  return sendProblem(reply, authErrors.test(error.name) ? error : parleyError("session-not-found"));
}

async function patch(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { resource, token }: Found,
): Promise<FastifyReply> {
  const waitMs = context.requests.take(clientAddress(context, request), context.clock.monoMs());
  if (waitMs > 0) return sendProblem(reply, parleyError("rate-limited"), { retryAfterMs: waitMs });
  const fragment = readFragment(request.body);
  if (!fragment.ok) return sendProblem(reply, fragment.error);
  const condition = request.headers["if-match"];
  // RFC 9725 4.3.1: without the header nobody knows which ICE generation is meant.
  if (condition === undefined) return sendProblem(reply, parleyError("precondition-required"));
  const matches = condition.trim() === "*" || condition.split(",").some((tag) => tag.trim() === resource.etag);
  if (!matches) return sendProblem(reply, parleyError("precondition-failed"));
  // A client that comes with a new token stays for as long as that is good.
  if (token.expiresAtUnixMs > resource.token.expiresAtUnixMs) context.resources.extend(resource, token);

  const remote = credentialsOf(fragment.value);
  if (remote !== undefined && remote.ufrag !== resource.remoteUfrag) {
    return restart(context, request, reply, { resource, token }, fragment.value, remote);
  }
  // Candidates need no keeping: an ICE-lite agent learns where its peer is from the peer's checks.
  return reply.code(204).header("etag", resource.etag).send();
}

async function restart(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { resource, token }: Found,
  fragment: TrickleFragment,
  remote: Credentials,
): Promise<FastifyReply> {
  resource.requestId += 1n;
  const { id: connectionId, requestId, roomId } = resource;
  const caller = { connectionId, requestId, localIp: request.socket.localAddress ?? "", token };
  const result = await context.rooms.command(caller, roomId, {
    case: "restartIce",
    value: { session: sessionName, iceUfrag: remote.ufrag, icePassword: remote.password },
  });
  if (!result.ok) return sendProblem(reply, result.error);
  if (result.value.result.case !== "iceRestarted") return sendProblem(reply, parleyError("internal"));
  const { iceUfrag, icePassword } = result.value.result.value;
  resource.remoteUfrag = remote.ufrag;
  resource.etag = `"${randomId(context.random)}"`;
  const answer = writeTrickleFragment({
    iceUfrag,
    icePassword,
    iceOptions: [],
    iceLite: true,
    groups: fragment.groups,
    endOfCandidates: false,
    sections: fragment.sections.slice(0, 1).map(({ media, mid }) => ({
      media,
      mid,
      iceUfrag,
      icePassword,
      candidates: [],
      endOfCandidates: false,
    })),
  });
  return reply.code(200).header("etag", resource.etag).type(fragmentType).send(answer);
}

interface Credentials {
  readonly ufrag: string;
  readonly password: string;
}

function readFragment(body: unknown): Result<TrickleFragment, ParleyError> {
  if (typeof body !== "string" || body === "") return err(parleyError("ice-fragment-malformed", "There is no body."));
  const fragment = parseTrickleFragment(body);
  return fragment.ok ? fragment : err(parleyError("ice-fragment-malformed", `${fragment.error.message}.`));
}

/** RFC 8840 9.1: at session level, or with the section. */
function credentialsOf({ iceUfrag, icePassword, sections }: TrickleFragment): Credentials | undefined {
  for (const at of [{ iceUfrag, icePassword }, ...sections]) {
    if (at.iceUfrag !== undefined && at.icePassword !== undefined)
      return { ufrag: at.iceUfrag, password: at.icePassword };
  }
  return undefined;
}
