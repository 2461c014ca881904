import type { FastifyReply, FastifyRequest } from "fastify";

/** Pages of other origins may use the API with a token; cookies are never used, so credentials are never allowed. */
export interface CorsPolicy {
  /** Origins, or `*` for all. */
  readonly origins: readonly string[];
}

/** RFC 9725 4.2 and 4.6: what a client in a page must be able to read. */
const exposed = "Location, ETag, Link, Accept-Post, Accept-Patch, Allow, Retry-After";
const allowedHeaders = "Authorization, Content-Type, If-Match";
/** A day: what Firefox takes at most. */
const maxAgeSeconds = 86_400;

export function addCors(request: FastifyRequest, reply: FastifyReply, policy: CorsPolicy): void {
  const { origin } = request.headers;
  if (policy.origins.includes("*")) void reply.header("access-control-allow-origin", "*");
  else {
    void reply.header("vary", "Origin");
    if (origin === undefined || !policy.origins.includes(origin)) return;
    void reply.header("access-control-allow-origin", origin);
  }
  void reply.header("access-control-expose-headers", exposed);
}

/** The answer to OPTIONS, which is also the preflight. */
export function answerOptions(
  reply: FastifyReply,
  methods: readonly string[],
  headers: Readonly<Record<string, string>>,
): FastifyReply {
  const allow = methods.join(", ");
  return reply
    .code(204)
    .headers({
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": allowedHeaders,
      "access-control-max-age": String(maxAgeSeconds),
      ...headers,
    })
    .send();
}
