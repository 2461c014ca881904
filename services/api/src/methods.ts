import { parleyError } from "@parley/protocol";
import type { FastifyInstance, HTTPMethods } from "fastify";
import { answerOptions } from "./cors.ts";
import { sendProblem } from "./problem.ts";

const all: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Completes a path whose own methods are registered: OPTIONS answers what there is, everything else is 405. */
export function closeMethods(
  app: FastifyInstance,
  url: string,
  methods: readonly HTTPMethods[],
  optionsHeaders: Readonly<Record<string, string>> = {},
): void {
  const allowed = [...methods, "OPTIONS"] as const;
  app.route({ method: "OPTIONS", url, handler: (_request, reply) => answerOptions(reply, allowed, optionsHeaders) });
  app.route({
    method: all.filter((method) => !methods.includes(method)),
    url,
    // Before the body is read: nobody needs it.
    onRequest: async (_request, reply) =>
      sendProblem(reply.header("allow", allowed.join(", ")), parleyError("method-not-allowed")),
    handler: () => undefined,
  });
}
