import { parleyError } from "@parley/protocol";
import type { FastifyInstance } from "fastify";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import { sendProblem } from "./problem.ts";

/** For load balancers and orchestrators: alive is that we answer, ready is that sessions can be made. */
export function healthRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get("/healthz/live", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "live" }));
  app.get("/healthz/ready", (_request, reply) => {
    if (context.state.draining) return sendProblem(reply, parleyError("draining"));
    if (context.nodes.live === 0) return sendProblem(reply, parleyError("no-media-node"));
    return reply.header("cache-control", "no-store").send({ status: "ready", mediaNodes: context.nodes.live });
  });
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await context.metrics.collect();
    return reply.type(contentType).send(text);
  });
  for (const url of ["/healthz/live", "/healthz/ready", "/metrics"]) closeMethods(app, url, ["GET", "HEAD"]);
}
