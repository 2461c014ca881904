import type { LogFields, Logger, LogValue } from "@parley/foundation";
import { pino, type DestinationStream, type Logger as Pino } from "pino";
import { textLine } from "./text-line.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `json`: one object a line, for machines; `text`: for people. */
  readonly format: "json" | "text";
  /** Where lines go; standard output by default. Each call of `write` gets one line with its end. */
  readonly destination?: { write(line: string): void };
}

/** The log of the process. Lines are written at once, so none is lost when the process ends. */
export function createLogger(options: LoggerOptions): Logger {
  const output: DestinationStream = options.destination ?? pino.destination({ dest: 1, sync: true });
  const destination: DestinationStream =
    options.format === "json" ? output : { write: (line) => output.write(textLine(line)) };
  return wrap(
    pino(
      {
        level: options.level,
        base: null,
        messageKey: "message",
        errorKey: "error",
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        // Belt and braces: fields are never secrets, see Logger.
        redact: { paths: ["token", "password", "secret", "authorization"], censor: "[removed]" },
      },
      destination,
    ),
  );
}

function wrap(inner: Pino): Logger {
  return {
    debug: (message, fields) => inner.debug(prepare(fields), message),
    info: (message, fields) => inner.info(prepare(fields), message),
    warn: (message, fields) => inner.warn(prepare(fields), message),
    error: (message, fields) => inner.error(prepare(fields), message),
    child: (fields) => wrap(inner.child(prepare(fields))),
  };
}

/** pino writes an Error under its error key only; ours may have any name. */
function prepare(fields: LogFields | undefined): Record<string, LogValue | object> {
  const prepared: Record<string, LogValue | object> = {};
  for (const [name, value] of Object.entries(fields ?? {})) {
    prepared[name] = value instanceof Error ? { message: value.message, stack: value.stack } : value;
  }
  return prepared;
}
