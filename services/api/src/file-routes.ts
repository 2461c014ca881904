import type { FastifyInstance } from "fastify";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";

/** The page: a fixed set of files, so that no path can lead anywhere else. */
export function fileRoutes(app: FastifyInstance, context: ApiContext): void {
  const { files } = context.config;
  for (const { path, contentType, body } of files?.assets ?? []) {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    app.get(path, (_request, reply) =>
      reply
        .headers(files?.headers ?? {})
        .type(contentType)
        .send(buffer),
    );
    closeMethods(app, path, ["GET", "HEAD"]);
  }
}
