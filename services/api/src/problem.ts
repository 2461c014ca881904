import { errorName, errorTable, type Error as WireError, type ErrorName, type ParleyError } from "@parley/protocol";
import type { FastifyReply } from "fastify";

/** The body of a refusal (RFC 9457), with the number of the error table: programs look at the number, people at the text. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly number: number;
  readonly name: string;
  readonly retry: string;
}

export const problemType = "application/problem+json; charset=utf-8";

/** Pause before the next try, where the refusal itself says nothing. */
const retryAfterSeconds = 1;

/** `retryAfterMs` for refusals that say when; `statusInstead` where another status than the table's fits the resource better. */
export function sendProblem(
  reply: FastifyReply,
  error: ParleyError,
  { retryAfterMs = 0, statusInstead = 0 }: { readonly retryAfterMs?: number; readonly statusInstead?: number } = {},
): FastifyReply {
  const { number, httpStatus, retry, text } = errorTable[error.name];
  const status = statusInstead || httpStatus || 500;
  const problem: Problem = {
    type: "about:blank",
    title: text,
    status,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    number,
    name: error.name,
    retry,
  };
  if (status === 401) void reply.header("www-authenticate", "Bearer");
  if (status === 429 || status === 503) {
    void reply.header("retry-after", String(Math.max(retryAfterSeconds, Math.ceil(retryAfterMs / 1000))));
  }
  return reply.code(status).header("cache-control", "no-store").type(problemType).send(JSON.stringify(problem));
}

/** An error of a room, as it came over the bus. */
export function ofWire(error: WireError): ParleyError {
  const name: ErrorName = errorName(error.number) ?? "internal";
  const prefix = `${errorTable[name].text} `;
  return error.message.startsWith(prefix) ? { name, detail: error.message.slice(prefix.length) } : { name };
}
