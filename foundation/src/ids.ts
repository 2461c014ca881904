import type { Random } from "./random.ts";
import { err, ok, type Result } from "./result.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const codes = [...alphabet].map((character) => character.charCodeAt(0));
/** So many characters are made by one call: its arguments lie on the stack. */
const charactersAtOnce = 1_024;
const values: ReadonlyMap<string, number> = new Map([...alphabet].map((character, value) => [character, value]));

/** base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  let text = "";
  let characters: number[] = [];
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    characters.push(codes[group >> 18] ?? 0, codes[(group >> 12) & 63] ?? 0);
    if (left > 1) characters.push(codes[(group >> 6) & 63] ?? 0);
    if (left > 2) characters.push(codes[group & 63] ?? 0);
    if (characters.length >= charactersAtOnce) {
      text += String.fromCharCode(...characters);
      characters = [];
    }
  }
  return text + String.fromCharCode(...characters);
}

/**
 * The bytes of canonical base64url without padding; undefined for anything else, so that two different texts never
 * mean the same bytes.
 */
export function fromBase64url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffered = 0;
  let bits = 0;
  let length = 0;
  for (const character of text) {
    const value = values.get(character);
    if (value === undefined) return undefined;
    buffered = ((buffered << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (buffered >> bits) & 0xff;
    }
  }
  return (buffered & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}

/** Bytes of randomness in an id: 16 characters; 50 % chance of one collision only among 10^14. */
const idBytes = 12;

/** A fresh random id that is a subject token as it is. */
export function randomId(random: Random): string {
  return toBase64url(random.bytes(idBytes));
}

/** The longest name of a room, stream or user, in UTF-8 bytes; long enough for a UUID with a prefix, or for an e-mail address. */
export const maxNameBytes = 128;

/**
 * Whether a user's name for something (room, stream, user id) is acceptable: 1 to {@link maxNameBytes} bytes of UTF-8, well-formed,
 * no control characters.
 */
export function isValidName(name: string): boolean {
  if (name.length === 0 || name.length > maxNameBytes || !name.isWellFormed()) return false;
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  // A UTF-16 unit becomes three bytes at most.
  return name.length * 3 <= maxNameBytes || encoder.encode(name).length <= maxNameBytes;
}

/**
 * The subject token of an id that somebody else chose: its UTF-8 bytes in base64url. Different ids have different tokens, and no
 * id can contain a dot, `*` or `>`. The empty id is `=`, which is no base64url.
 */
export function subjectToken(id: string): string {
  if (id === "") return "=";
  let token = tokens.get(id);
  if (token === undefined) {
    token = toBase64url(encoder.encode(id));
    if (tokens.size >= maxTokens) tokens.clear();
    // What is no name may be as long as a frame.
    if (id.length <= maxNameBytes) tokens.set(id, token);
  }
  return token;
}

/** Of names used of late: every message has its app's and its room's. */
const tokens = new Map<string, string>();
const maxTokens = 1_000;
const encoder = new TextEncoder();

/** The id of a subject token; an error for what {@link subjectToken} never makes. */
export function idOfSubjectToken(token: string): Result<string, "not-a-subject-token"> {
  if (token === "=") return ok("");
  const bytes = fromBase64url(token);
  if (bytes === undefined || bytes.length === 0) return err("not-a-subject-token");
  try {
    return ok(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return err("not-a-subject-token");
  }
}
