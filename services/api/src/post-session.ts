import type { MessageInitShape } from "@bufbuild/protobuf";
import { authorize, type SourceName, type VerifiedToken } from "@parley/domain-access";
import { parseSdp } from "@parley/domain-media-control";
import { err, isValidName, ok, randomId, type Result } from "@parley/foundation";
import { parleyError, type OpenSessionSchema, type ParleyError, type SessionAnswer } from "@parley/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { verifyBearer } from "./bearer.ts";
import { clientAddress } from "./client-address.ts";
import type { ApiContext } from "./context.ts";
import { scanOffer, type Offer } from "./offer.ts";
import { sendProblem } from "./problem.ts";
import type { Resource } from "./resources.ts";

/** The one session of a WHIP or WHEP participant. */
export const sessionName = "main";
export const sdpType = "application/sdp";
export const fragmentType = "application/trickle-ice-sdpfrag";

export type OpenSessionInit = Exclude<MessageInitShape<typeof OpenSessionSchema>, { $typeName: string }>;

/** What differs between WHIP and WHEP. */
export interface SessionKind {
  readonly kind: "whip" | "whep";
  readonly roomId: string;
  readonly streamName: string;
  readonly action:
    | { readonly type: "publish"; readonly room: string; readonly sources: readonly SourceName[] }
    | { readonly type: "subscribe"; readonly room: string };
  readonly openSession: (offer: Offer, sdp: string) => Result<OpenSessionInit, ParleyError>;
}

/** POST of an offer: checks it, joins the room with its session, and answers 201 with the session's own URL. */
export async function postSession(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  kindOf: (offer: Offer) => SessionKind,
): Promise<FastifyReply> {
  const waitMs = context.joins.take(clientAddress(context, request), context.clock.monoMs());
  if (waitMs > 0) return sendProblem(reply, parleyError("rate-limited"), { retryAfterMs: waitMs });
  if (context.state.draining) return sendProblem(reply, parleyError("draining"));
  const token = verifyBearer(request.headers.authorization, context.tokens, context.clock.unixMs());
  if (!token.ok) return sendProblem(reply, token.error);
  const sdp = request.body;
  if (typeof sdp !== "string" || sdp === "")
    return sendProblem(reply, parleyError("sdp-malformed", "There is no offer."));
  if (context.resources.size >= context.config.maxSessions) return sendProblem(reply, parleyError("too-many-sessions"));

  const offer = scanOffer(sdp);
  const kind = kindOf(offer);
  const prepared = prepare(kind, offer, sdp, token.value);
  if (!prepared.ok) return sendProblem(reply, prepared.error);
  const made = await makeSession(context, request, {
    kind,
    token: token.value,
    offer,
    open: prepared.value,
  });
  if (!made.ok) return sendProblem(reply, made.error);
  return sendCreated(context, reply, made.value.resource, made.value.answer);
}

function prepare(
  kind: SessionKind,
  offer: Offer,
  sdp: string,
  token: VerifiedToken,
): Result<OpenSessionInit, ParleyError> {
  if (!isValidName(kind.roomId)) return err(parleyError("bad-id", "The room's name."));
  if (!isValidName(kind.streamName)) return err(parleyError("bad-id", "The stream's name."));
  const allowed = authorize(token, kind.action);
  if (!allowed.ok) return allowed;
  const open = kind.openSession(offer, sdp);
  if (open.ok) return open;
  // Nothing in it is of use; when it cannot be read at all, that is what the client should hear.
  const parsed = parseSdp(sdp);
  return parsed.ok ? open : err(parleyError("sdp-malformed", `${parsed.error.message}.`));
}

interface SessionPlan {
  readonly kind: SessionKind;
  readonly token: VerifiedToken;
  readonly offer: Offer;
  readonly open: OpenSessionInit;
}

async function makeSession(
  context: ApiContext,
  request: FastifyRequest,
  { kind, token, offer, open }: SessionPlan,
): Promise<Result<{ readonly resource: Resource; readonly answer: SessionAnswer }, ParleyError>> {
  const { resources, rooms, random } = context;
  const id = randomId(random);
  const subscription = resources.listen(id);
  const caller = { connectionId: id, requestId: 1n, localIp: request.socket.localAddress ?? "", token };
  const joined = await rooms.command(caller, kind.roomId, {
    case: "join",
    value: { name: token.grants.name, leaveWithSession: true, sessions: [open] },
  });
  // It may have been taken back while the room was asked.
  const revoked = context.tokens.isRevoked(token) ? parleyError("token-revoked") : undefined;
  const failure = joined.ok ? (revoked ?? waitingOrOther(joined.value.result)) : joined.error;
  if (failure !== undefined || !joined.ok || joined.value.result.case !== "joined") {
    subscription.unsubscribe();
    // Also when the answer was lost and the join was not.
    rooms.gone(token.appId, id);
    return err(failure ?? parleyError("internal"));
  }
  const [answer] = joined.value.result.value.sessions;
  if (answer === undefined) return err(parleyError("internal"));
  const resource: Resource = {
    id,
    kind: kind.kind,
    appId: token.appId,
    roomId: kind.roomId,
    userId: token.subject,
    subscription,
    requestId: 1n,
    etag: `"${randomId(random)}"`,
    remoteUfrag: offer.iceUfrag,
    token,
  };
  resources.add(resource);
  return ok({ resource, answer });
}

/** A lobby is for people: who waits there has no session, so a WHIP client is turned away. */
function waitingOrOther(result: {
  readonly case: string | undefined;
  readonly value?: unknown;
}): ParleyError | undefined {
  if (result.case !== "joined") return parleyError("internal");
  return (result.value as { readonly waiting: boolean }).waiting ? parleyError("in-lobby") : undefined;
}

function sendCreated(
  context: ApiContext,
  reply: FastifyReply,
  resource: Resource,
  answer: SessionAnswer,
): FastifyReply {
  const { publicUrl = "", iceServers = [] } = context.config;
  const links = iceServers.map(linkOf);
  return reply
    .code(201)
    .headers({
      location: `${publicUrl}/v1/sessions/${resource.id}`,
      etag: resource.etag,
      "accept-patch": fragmentType,
      "cache-control": "no-store",
      ...(links.length === 0 ? {} : { link: links.join(", ") }),
    })
    .type(sdpType)
    .send(answer.answerSdp);
}

function linkOf({
  url,
  username,
  credential,
}: {
  readonly url: string;
  readonly username?: string;
  readonly credential?: string;
}): string {
  const login =
    username === undefined
      ? ""
      : `; username="${quoted(username)}"; credential="${quoted(credential ?? "")}"; credential-type="password"`;
  return `<${url}>; rel="ice-server"${login}`;
}

function quoted(text: string): string {
  return text.replace(/["\\]/g, "\\$&");
}
