/** Small readers that the SDP grammar is made of. Each returns undefined for what does not fit. */

const TOKEN = /^[\x21\x23-\x27\x2a\x2b\x2d\x2e\x30-\x39\x41-\x5a\x5e-\x7e]+$/; // RFC 8866 section 9: token-char
const ICE_CHARS = /^[A-Za-z0-9+/]+$/; // RFC 8839 section 5.1: ice-char

/** Longer mids fit no one-byte header extension (RFC 8285: 16 bytes); twice that is kept for those who never send the extension. */
const MAX_MID_LENGTH = 32;

export function readUnsigned(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
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
  if (!/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){0,127}$/.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (pair) => Number.parseInt(pair, 16));
}

export function writeColonHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
}

/** Cuts at the first space: ["96", "VP8/90000"]. The second is undefined when there is none. */
export function cutAtSpace(text: string): [string, string | undefined] {
  const at = text.indexOf(" ");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1).trim()];
}
