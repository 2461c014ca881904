/** Values a log field may hold. Secrets (tokens, ICE passwords, keys) are never fields. */
export type LogValue = string | number | boolean | null | undefined | Error;
export type LogFields = Readonly<Record<string, LogValue>>;

/**
 * Structured log sink. The level says who should care:
 * `error`: an operator must act; `warn`: something was refused or lost but the service goes on;
 * `info`: rare life-cycle facts (started, drained, node lost), never per request or per packet;
 * `debug`: everything else.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}
