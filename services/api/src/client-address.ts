import type { FastifyRequest } from "fastify";
import type { ApiContext } from "./context.ts";

/** Where a request comes from, behind our own reverse proxies too; for limits only. */
export function clientAddress({ proxies }: Pick<ApiContext, "proxies">, request: FastifyRequest): string {
  return proxies.clientAddress(request.socket.remoteAddress ?? "", request.headers);
}
