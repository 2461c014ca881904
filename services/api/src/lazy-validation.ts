import ajvCompiler from "@fastify/ajv-compiler";
import type { FastifySchemaCompiler } from "fastify";

/** What is wrong with the last value stands beside it. */
type Validator = ReturnType<FastifySchemaCompiler<unknown>>;

/** Query strings are text: numbers and booleans are read from it, and defaults filled in. */
const customOptions = { coerceTypes: true, removeAdditional: false, useDefaults: true } as const;

let compile: ReturnType<ReturnType<typeof ajvCompiler>> | undefined;

/**
 * Compiles a route's schema when the first request comes that needs it. Compiling all of them, of which most processes need none, was an eighth
 * of a server's start. Joins have no schemas, or the first would pay for it.
 */
export function validateLater({ schema }: { readonly schema: unknown }): Validator {
  let compiled: Validator | undefined;
  const validate: Validator = (value) => {
    compile ??= ajvCompiler()({}, { customOptions });
    compiled ??= compile({ schema }) as unknown as Validator;
    const isValid = compiled(value);
    validate.errors = compiled.errors ?? null;
    return isValid;
  };
  return validate;
}
