import type { LogFields, Logger } from "@parley/foundation";

/** Drops everything. */
export const nullLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => nullLogger,
};

export interface LogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line, those of its children included, for a test to look at. */
export class RecordingLogger implements Logger {
  readonly records: LogRecord[];
  readonly #fields: LogFields;

  constructor(records: LogRecord[] = [], fields: LogFields = {}) {
    this.records = records;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#record("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#record("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#record("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#record("error", message, fields);
  }

  child(fields: LogFields): Logger {
    return new RecordingLogger(this.records, { ...this.#fields, ...fields });
  }

  #record(level: LogRecord["level"], message: string, fields: LogFields | undefined): void {
    this.records.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}
