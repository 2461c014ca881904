/** Small readers that the SDP grammar is made of. Each returns undefined for what does not fit. */

const TOKEN = /^[\x21\x23-\x27\x2a\x2b\x2d\x2e\x30-\x39\x41-\x5a\x5e-\x7e]+$/; // RFC 8866 section 9: token-char
const ICE_CHARS = /^[A-Za-z0-9+/]+$/; // RFC 8839 section 5.1: ice-char

/** Longer mids fit no one-byte header extension (RFC 8285: 16 bytes); twice that is kept for those who never send the extension. */
const MAX_MID_LENGTH = 32;

/** Twice the longest hash there is. */
const MAX_COLON_HEX_BYTES = 128;

export function readUnsigned(text: string | undefined, max: number): number | undefined {
  if (text === undefined || text.length === 0 || text.length > 10) return undefined;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value <= max ? value : undefined;
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

export function isMid(text: string): boolean {
  return text.length <= MAX_MID_LENGTH && TOKEN.test(text);
}

/** RFC 8839 5.4: 4 to 256 characters. */
export function isIceUfrag(text: string): boolean {
  return text.length >= 4 && text.length <= 256 && ICE_CHARS.test(text);
}

/** RFC 8839 5.4: 22 to 256 characters. */
export function isIcePassword(text: string): boolean {
  return text.length >= 22 && text.length <= 256 && ICE_CHARS.test(text);
}

/** "AB:0F:..." as bytes. */
export function readColonHex(text: string): Uint8Array | undefined {
  if (text.length % 3 !== 2 || text.length > MAX_COLON_HEX_BYTES * 3 - 1) return undefined;
  const bytes = new Uint8Array((text.length + 1) / 3);
  for (let index = 0; index < bytes.length; index++) {
    const high = hexValue(text.charCodeAt(index * 3));
    const low = hexValue(text.charCodeAt(index * 3 + 1));
    if (high < 0 || low < 0 || (index > 0 && text[index * 3 - 1] !== ":")) return undefined;
    bytes[index] = high * 16 + low;
  }
  return bytes;
}

/** Negative: not a digit. */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const HEX_PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0").toUpperCase());

export function writeColonHex(bytes: Uint8Array): string {
  const pairs: string[] = [];
  for (const byte of bytes) pairs.push(HEX_PAIRS[byte] ?? "");
  return pairs.join(":");
}

/** Cuts at the first space: ["96", "VP8/90000"]. The second is undefined when there is none. */
export function cutAtSpace(text: string): [string, string | undefined] {
  const at = text.indexOf(" ");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1).trim()];
}
