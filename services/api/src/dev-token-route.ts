import { mintToken, roleNames } from "@parley/domain-access";
import { isValidName } from "@parley/foundation";
import { parleyError } from "@parley/protocol";
import { Type } from "typebox";
import type { FastifyInstance } from "fastify";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import { sendProblem } from "./problem.ts";

const yes = (value: boolean) => Type.Boolean({ default: value });
const query = Type.Object({
  room: Type.Optional(Type.String()),
  user: Type.String({ default: "dev" }),
  name: Type.Optional(Type.String()),
  publish: yes(false),
  subscribe: yes(true),
  data: Type.Optional(Type.Boolean()),
  admin: yes(false),
  hidden: yes(false),
  role: Type.Optional(Type.Union(roleNames.map((role) => Type.Literal(role)))),
  ttlSeconds: Type.Integer({ default: 6 * 3600, minimum: 1, maximum: 7 * 24 * 3600 }),
});

const url = "/v1/dev/token";

/** Tokens for anybody who asks: only there in development. */
export function devTokenRoute(app: FastifyInstance, context: ApiContext): void {
  const { devApp } = context.config;
  if (devApp === undefined) return;
  app.withTypeProvider<TypeBoxTypeProvider>().get(url, { schema: { querystring: query } }, (request, reply) => {
    const { room, user, name, publish, subscribe, data, admin, hidden, role, ttlSeconds } = request.query;
    for (const one of [room, user, name]) {
      if (one !== undefined && !isValidName(one)) return sendProblem(reply, parleyError("bad-id"));
    }
    const nowSeconds = Math.floor(context.clock.unixMs() / 1000);
    const token = mintToken(
      {
        iss: devApp.key,
        sub: user,
        iat: nowSeconds,
        exp: nowSeconds + ttlSeconds,
        publish,
        subscribe,
        roomAdmin: admin,
        hidden,
        ...(data === undefined ? {} : { canPublishData: data }),
        ...(room === undefined ? {} : { room }),
        ...(name === undefined ? {} : { name }),
        ...(role === undefined ? {} : { role }),
      },
      devApp.secret,
    );
    return reply
      .header("cache-control", "no-store")
      .send({ token, user, expiresAtUnixMs: (nowSeconds + ttlSeconds) * 1000 });
  });
  closeMethods(app, url, ["GET", "HEAD"]);
}
