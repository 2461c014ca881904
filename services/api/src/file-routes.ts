import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ApiContext, StaticFile } from "./context.ts";
import { closeMethods } from "./methods.ts";

/** A year: what RFC 9111 caches take for "for good". */
const forGood = "public, max-age=31536000, immutable";

/** The pages: a fixed set of files, so that no path can lead anywhere else. */
export function fileRoutes(app: FastifyInstance, context: ApiContext): void {
  const { files } = context.config;
  for (const file of files?.assets ?? []) {
    const variants = variantsOf(file);
    app.get(file.path, (request, reply) => {
      const { encoding, etag, body } = chooseVariant(variants, request.headers["accept-encoding"]);
      reply.headers(files?.headers ?? {}).header("etag", etag);
      if (file.immutable === true) reply.header("cache-control", forGood);
      if (variants.length > 1) {
        const vary = reply.getHeader("vary");
        reply.header("vary", vary === undefined ? "Accept-Encoding" : `${String(vary)}, Accept-Encoding`);
      }
      if (isKnown(etag, request.headers["if-none-match"])) return reply.code(304).send();
      if (encoding !== undefined) reply.header("content-encoding", encoding);
      return reply.type(file.contentType).send(body);
    });
    closeMethods(app, file.path, ["GET", "HEAD"]);
  }
}

interface Variant {
  /** Undefined: as it is. */
  readonly encoding: "br" | "gzip" | undefined;
  /** Strong (RFC 9110 8.8.3), so each encoding has its own. */
  readonly etag: string;
  readonly body: Buffer;
}

/** The compressed ones first, in the file's order. */
function variantsOf({ body, encoded = [] }: StaticFile): readonly Variant[] {
  return [...encoded, { encoding: undefined, body }].map((one) => ({
    encoding: one.encoding,
    etag: `"${createHash("sha256").update(one.body).digest("base64url").slice(0, 22)}"`,
    body: Buffer.from(one.body.buffer, one.body.byteOffset, one.body.byteLength),
  }));
}

/** The first one that the client takes; as it is, when it says nothing (RFC 9110 12.5.3). Preferences among those it takes do not count. */
function chooseVariant(variants: readonly Variant[], acceptEncoding: string | undefined): Variant {
  const accepted = new Map<string, boolean>();
  for (const item of (acceptEncoding ?? "").split(",")) {
    const [coding = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    accepted.set(coding, !parameters.some((one) => /^q=0(?:\.0{0,3})?$/.test(one)));
  }
  const takes = (coding: string): boolean => accepted.get(coding) ?? accepted.get("*") ?? false;
  const chosen = variants.find(({ encoding }) => encoding === undefined || takes(encoding));
  if (chosen === undefined) throw new Error("a file without its plain variant");
  return chosen;
}

/** RFC 9110 13.1.2; weak comparison, for proxies that compress again weaken what we said. */
function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").some((one) => {
    const tag = one.trim();
    return tag === "*" || tag.replace(/^W\//, "") === etag;
  });
}
