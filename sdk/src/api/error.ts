import { errorName, errorTable } from "@parley/protocol";

/** Errors of the SDK itself, beside those of the server's table. Numbers from 20000: no server uses them. */
export const sdkErrors = {
  "not-connected": { number: 20001, retryable: false, text: "The room is not connected." },
  "connect-failed": { number: 20002, retryable: true, text: "The server cannot be reached." },
  "request-timeout": { number: 20003, retryable: true, text: "The server did not answer in time." },
  cancelled: { number: 20004, retryable: false, text: "Ended before it was done." },
  "media-unsupported": { number: 20005, retryable: false, text: "There is no WebRTC here." },
  "insecure-context": {
    number: 20006,
    retryable: false,
    text: "Browsers give camera and microphone only to pages from HTTPS or localhost.",
  },
  "device-permission-denied": {
    number: 20007,
    retryable: false,
    text: "Camera, microphone or screen was not allowed.",
  },
  "device-not-found": { number: 20008, retryable: false, text: "There is no such camera or microphone." },
  "device-in-use": { number: 20009, retryable: true, text: "The camera or microphone is used by another program." },
  "device-failed": { number: 20010, retryable: true, text: "The camera or microphone could not be started." },
  "media-failed": { number: 20011, retryable: true, text: "The media connection could not be made." },
  "message-too-large": { number: 20012, retryable: false, text: "The message is larger than the server takes." },
  "connection-lost": { number: 20014, retryable: true, text: "The connection broke before there was an answer." },
  "bad-argument": { number: 20013, retryable: false, text: "An argument is not valid." },
} as const;

export type SdkErrorName = keyof typeof sdkErrors;
/** Names of the server's error table (docs/specs/errors.md), or of the SDK. Newer servers may send others. */
export type ParleyErrorName = SdkErrorName | (string & {});

/**
 * Every promise of the SDK rejects with one of these. Decide by `name`-like `code` or `number`, never by `message`.
 */
export class ParleyError extends Error {
  readonly code: ParleyErrorName;
  readonly number: number;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  /** Do not try before; 0: no advice. */
  readonly retryAfterMs: number;

  constructor(
    code: ParleyErrorName,
    options: { number: number; message: string; retryable: boolean; retryAfterMs?: number; cause?: unknown },
  ) {
    super(
      `${options.message} (${code}, ${options.number})`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = "ParleyError";
    this.code = code;
    this.number = options.number;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** An error the SDK found by itself. `detail` is for people. */
export function sdkError(name: SdkErrorName, detail?: string, cause?: unknown): ParleyError {
  const { number, retryable, text } = sdkErrors[name];
  const message = detail === undefined ? text : `${text} ${detail}`;
  return new ParleyError(name, { number, message, retryable, cause });
}

/** What came over the wire, as an error. */
export function wireError(error: {
  readonly number: number;
  readonly name: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number;
}): ParleyError {
  const known = errorName(error.number);
  const message = error.message !== "" ? error.message : known !== undefined ? errorTable[known].text : "Refused.";
  return new ParleyError(known ?? error.name, {
    number: error.number,
    message,
    retryable: error.retryable,
    retryAfterMs: error.retryAfterMs,
  });
}
