import { parleyError, type ParleyError } from "@parley/protocol";
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Certificate } from "./certificate-files.ts";
import type { ApiContext } from "./context.ts";
import { addCors } from "./cors.ts";
import { devTokenRoute } from "./dev-token-route.ts";
import { fileRoutes } from "./file-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import { validateLater } from "./lazy-validation.ts";
import { fragmentType, sdpType } from "./post-session.ts";
import { sendProblem } from "./problem.ts";
import { jsonType, revocationRoutes, revocationsUrl } from "./revocation-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import { whepRoutes } from "./whep-routes.ts";
import { whipRoutes } from "./whip-routes.ts";

/** Longer than a load balancer's (60 s, usually), so that it is never we who close a connection it is about to use. */
const keepAliveMs = 72_000;
/** A request that is not there after this is somebody holding the connection. */
const requestMs = 15_000;
/** Less than for the whole request: Node swaps the two otherwise, and a body may take the default of a minute. */
const headersMs = 10_000;
/** How often Node looks for connections whose time is up. */
const lookMs = 2_000;
/** A name of 128 bytes, each escaped. */
const maxParamLength = 400;

/** The routes, and what holds for all of them. Does not listen. */
export function buildApp(context: ApiContext, certificate: Certificate | undefined): FastifyInstance {
  const options = {
    logger: false,
    bodyLimit: context.config.maxSdpBytes,
    keepAliveTimeout: keepAliveMs,
    requestTimeout: requestMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    routerOptions: { maxParamLength, ignoreTrailingSlash: true },
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void => {
      void sendProblem(reply, parleyError("bad-request", `${error.message}.`));
    },
  } as const;
  const timeouts = { headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: lookMs };
  const app: FastifyInstance =
    certificate === undefined
      ? fastify({ ...options, http: timeouts })
      : (fastify({ ...options, https: { ...certificate, ...timeouts } }) as unknown as FastifyInstance);

  app.setValidatorCompiler(validateLater);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([sdpType, fragmentType], { parseAs: "string" }, (_request, body, done) => done(null, body));
  app.addContentTypeParser(jsonType, { parseAs: "string" }, app.getDefaultJsonParser("error", "error"));
  app.addHook("onRequest", async (request, reply) => {
    addCors(request, reply, { origins: context.config.corsOrigins });
    void reply.header("x-content-type-options", "nosniff");
  });
  // Each path takes one content type; the other ones are as wrong as any, and are not read.
  app.addHook("preParsing", async (request, reply) => {
    const expected = expectedType(request);
    if (expected !== undefined && mediaType(request) !== expected) return refuseType(request, reply);
  });
  app.setErrorHandler((error: FastifyError, request, reply) => sendFailure(context, error, request, reply));
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, parleyError("not-found")));

  whipRoutes(app, context);
  whepRoutes(app, context);
  sessionRoutes(app, context);
  revocationRoutes(app, context);
  healthRoutes(app, context);
  devTokenRoute(app, context);
  fileRoutes(app, context);
  return app;
}

function expectedType({ method, routeOptions }: FastifyRequest): string | undefined {
  if (method === "PATCH") return fragmentType;
  if (method !== "POST") return undefined;
  return routeOptions.url === revocationsUrl ? jsonType : sdpType;
}

function mediaType(request: FastifyRequest): string {
  return (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function refuseType(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const expected = expectedType(request);
  if (expected !== undefined) void reply.header(request.method === "PATCH" ? "accept-patch" : "accept-post", expected);
  return sendProblem(reply, parleyError("unsupported-media-type"));
}

function sendFailure(
  context: ApiContext,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return refuseType(request, reply);
  const known = knownFailure(error);
  if (known !== undefined) return sendProblem(reply, known);
  context.logger.error("a request failed", { method: request.method, route: request.routeOptions.url, error });
  return sendProblem(reply, parleyError("internal"));
}

function knownFailure(error: FastifyError): ParleyError | undefined {
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return parleyError("payload-too-large");
  if (error.validation !== undefined) return parleyError("bad-request", `${error.message}.`);
  const status = error.statusCode ?? 500;
  return status >= 400 && status < 500 ? parleyError("bad-request", `${error.message}.`) : undefined;
}
