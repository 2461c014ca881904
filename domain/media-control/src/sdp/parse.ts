import { type Result, err, ok } from "@parley/foundation";
import type { SdpDirection, SdpError, SdpErrorCode, SdpLimits, SdpOrigin, SessionDescription } from "./description.ts";
import { type MediaDraft, type SessionDraft, emptyMedia, emptySession } from "./draft.ts";
import { DIRECTIONS, takeMediaAttribute } from "./media-attributes.ts";
import { isMid, readUnsigned } from "./tokens.ts";
import { type AttributeOutcome, takeTransportAttribute } from "./transport-attributes.ts";

/** Generous for a conference with hundreds of slots, at some 30 lines each; parsing this much takes a few milliseconds. */
export const DEFAULT_SDP_LIMITS: SdpLimits = {
  maxBytes: 512 * 1024,
  maxLines: 8000,
  maxLineLength: 2048,
  maxSections: 256,
};

/** One line, cut at "=". */
export interface SdpLine {
  readonly number: number;
  readonly type: string;
  readonly value: string;
}

/**
 * Reads a session description. Strict where a wrong reading would hurt (numbers, limits, control characters), lenient about what
 * is unknown: that is kept.
 */
export function parseSdp(text: string, limits: SdpLimits = DEFAULT_SDP_LIMITS): Result<SessionDescription, SdpError> {
  const lines = splitLines(text, limits);
  if (!lines.ok) return lines;
  const headError = checkHead(lines.value);
  if (headError !== undefined) return err(headError);

  const session = emptySession();
  for (const line of lines.value) {
    const error = takeLine(session, line, limits);
    if (error !== undefined) return err(error);
  }
  return ok(session);
}

/** Checks sizes and characters, and cuts into lines; ends at CRLF or LF alone, empty lines at the end are dropped. */
export function splitLines(text: string, limits: SdpLimits): Result<SdpLine[], SdpError> {
  if (text.length > limits.maxBytes) return err(sdpError("too-large", 0, `more than ${limits.maxBytes} characters`));
  const lines: SdpLine[] = [];
  // Once over all of it: nearly always there are none, and then no line has to be looked at for them.
  const suspicious = FORBIDDEN_IN_TEXT.test(text);
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    if (number > limits.maxLines) return err(sdpError("too-many-lines", number, `more than ${limits.maxLines} lines`));
    const newline = text.indexOf("\n", start);
    let end = newline < 0 ? text.length : newline;
    const next = end + 1;
    if (end > start && text.charCodeAt(end - 1) === 0x0d) end--;
    if (end - start > limits.maxLineLength) {
      return err(sdpError("line-too-long", number, `more than ${limits.maxLineLength} characters`));
    }
    const lineStart = start;
    start = next;
    if (end === lineStart) continue;
    const type = text[lineStart] as string;
    const value = text.slice(lineStart + 2, end);
    const isLine = type >= "a" && type <= "z" && end > lineStart + 1 && text[lineStart + 1] === "=";
    if (!isLine || (suspicious && FORBIDDEN_IN_LINE.test(value))) {
      return err(sdpError("malformed-line", number, "not a line of SDP"));
    }
    lines.push({ number, type, value });
  }
  return ok(lines);
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN_IN_LINE = /[\x00-\x08\x0a-\x1f\x7f]/;
/** The same, but for what ends lines. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN_IN_TEXT = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)/;

export function sdpError(code: SdpErrorCode, line: number, message: string): SdpError {
  return { code, line, message };
}

/** RFC 8866 section 5: v, o and s come first, in this order; t is there before the first m. */
function checkHead(lines: readonly SdpLine[]): SdpError | undefined {
  const types = lines.slice(0, 3).map((line) => line.type);
  if (types.join("") !== "vos" || lines[0]?.value !== "0") {
    return sdpError("malformed-session", 1, "must begin with v=0, o= and s=");
  }
  const time = lines.findIndex((line) => line.type === "t");
  const media = lines.findIndex((line) => line.type === "m");
  if (time < 0 || (media >= 0 && media < time)) return sdpError("malformed-session", 0, "t= is missing");
  return undefined;
}

function takeLine(session: SessionDraft, line: SdpLine, limits: SdpLimits): SdpError | undefined {
  const media = session.media.at(-1);
  switch (line.type) {
    case "o": {
      const origin = readOrigin(line.value);
      if (origin === undefined) return sdpError("malformed-session", line.number, "o= is wrong");
      session.origin = origin;
      return undefined;
    }
    case "s":
      session.sessionName = line.value;
      return undefined;
    case "c":
      (media ?? session).connection = line.value;
      return undefined;
    case "b":
      return takeBandwidth(media ?? session, line);
    case "i":
      if (media !== undefined) media.title = line.value;
      return undefined;
    case "m": {
      if (session.media.length >= limits.maxSections) {
        return sdpError("too-many-sections", line.number, `more than ${limits.maxSections} media sections`);
      }
      const section = readMediaLine(line.value);
      if (section === undefined) return sdpError("malformed-attribute", line.number, "m= is wrong");
      session.media.push(section);
      return undefined;
    }
    case "a":
      return takeAttributeLine(session, media, line);
    default:
      return undefined;
  }
}

function takeAttributeLine(session: SessionDraft, media: MediaDraft | undefined, line: SdpLine): SdpError | undefined {
  const colon = line.value.indexOf(":");
  const name = colon < 0 ? line.value : line.value.slice(0, colon);
  const value = colon < 0 ? undefined : line.value.slice(colon + 1).trim();
  const outcome =
    media === undefined ? takeSessionAttribute(session, name, value) : takeMediaAttribute(media, name, value);
  if (outcome === "malformed") return sdpError("malformed-attribute", line.number, `a=${name} is wrong`);
  if (outcome === "unknown") (media ?? session).otherAttributes.push({ name, value });
  return undefined;
}

function takeSessionAttribute(session: SessionDraft, name: string, value: string | undefined): AttributeOutcome {
  if (value === undefined) {
    if (name === "extmap-allow-mixed") session.extmapAllowMixed = true;
    else if (name === "ice-lite") session.iceLite = true;
    else if (DIRECTIONS.has(name)) session.direction = name as SdpDirection;
    else return "unknown";
    return "ok";
  }
  if (name === "group") {
    const [semantics, ...mids] = value.split(/ +/);
    if (semantics === undefined || semantics === "" || !mids.every(isMid)) return "malformed";
    session.groups.push({ semantics, mids });
    return "ok";
  }
  return takeTransportAttribute(session.transport, name, value);
}

function takeBandwidth(target: SessionDraft | MediaDraft, line: SdpLine): SdpError | undefined {
  const [type, valueText] = line.value.split(":");
  const value = readUnsigned(valueText?.trim(), 0xffffffff);
  if (type !== undefined && value !== undefined) target.bandwidths.push({ type, value });
  // Bandwidths are hints: a wrong one is as good as none.
  return undefined;
}

function readOrigin(value: string): SdpOrigin | undefined {
  const words = value.split(/ +/);
  const [username, sessionId, sessionVersion, netType, addressType, address] = words;
  if (words.length !== 6 || !/^\d{1,20}$/.test(sessionId ?? "") || !/^\d{1,20}$/.test(sessionVersion ?? "")) {
    return undefined;
  }
  return { username, sessionId, sessionVersion, netType, addressType, address } as SdpOrigin;
}

function readMediaLine(value: string): MediaDraft | undefined {
  const [kind, portText, protocol, ...formats] = value.trim().split(/ +/);
  const port = readUnsigned(portText?.split("/")[0], 65535);
  if (kind === undefined || port === undefined || protocol === undefined) return undefined;
  if (formats.length === 0 || new Set(formats).size !== formats.length) return undefined;
  return emptyMedia(kind, port, protocol, formats);
}
