import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "./crc32.ts";

/** STUN as ICE uses it (RFC 8489, RFC 8445 16). */
export interface StunMessage {
  readonly class: StunClass;
  /** 1: Binding. */
  readonly method: number;
  /** 12 bytes, a view of the datagram. */
  readonly transactionId: Uint8Array;
  readonly username: string | undefined;
  readonly priority: number | undefined;
  readonly useCandidate: boolean;
  readonly iceControlling: bigint | undefined;
  readonly iceControlled: bigint | undefined;
  readonly xorMappedAddress: StunAddress | undefined;
  readonly errorCode: number | undefined;
  /** Comprehension-required attributes (below 0x8000) that are unknown here. */
  readonly unknownRequired: readonly number[];
  /** Where MESSAGE-INTEGRITY begins; undefined: there is none. */
  readonly integrityOffset: number | undefined;
}

export type StunClass = "request" | "indication" | "success" | "error";

export interface StunAddress {
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  readonly port: number;
}

export const STUN_BINDING = 1;

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
const FINGERPRINT_XOR = 0x5354554e;
const INTEGRITY_BYTES = 20;

const ATTRIBUTE = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  software: 0x8022,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

/** Known here, though nothing is done with them: REALM, NONCE, MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHM, USERHASH. */
const IGNORED_REQUIRED: ReadonlySet<number> = new Set([0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e]);

const CLASSES: readonly StunClass[] = ["request", "indication", "success", "error"];

type Draft = { -readonly [K in keyof StunMessage]: StunMessage[K] } & { unknownRequired: number[] };

/**
 * Reads a STUN message; undefined when it is none, or its FINGERPRINT is wrong. MESSAGE-INTEGRITY is not checked: see
 * {@link hasValidIntegrity}. What comes after MESSAGE-INTEGRITY is not believed, but for FINGERPRINT (RFC 8489 14.5).
 */
export function parseStun(datagram: Uint8Array): StunMessage | undefined {
  if (datagram.length < HEADER_BYTES || datagram.length % 4 !== 0) return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const type = view.getUint16(0);
  if (type > 0x3fff || view.getUint32(4) !== MAGIC_COOKIE) return undefined;
  if (view.getUint16(2) !== datagram.length - HEADER_BYTES) return undefined;

  const draft: Draft = {
    class: CLASSES[((type >> 7) & 2) | ((type >> 4) & 1)] as StunClass,
    method: ((type >> 2) & 0xf80) | ((type >> 1) & 0x70) | (type & 0x0f),
    transactionId: datagram.subarray(8, HEADER_BYTES),
    username: undefined,
    priority: undefined,
    useCandidate: false,
    iceControlling: undefined,
    iceControlled: undefined,
    xorMappedAddress: undefined,
    errorCode: undefined,
    unknownRequired: [],
    integrityOffset: undefined,
  };
  for (let at = HEADER_BYTES; at < datagram.length;) {
    const attribute = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const end = at + 4 + length;
    if (end > datagram.length) return undefined;
    if (attribute === ATTRIBUTE.fingerprint) {
      // RFC 8489 14.7: it is the last one.
      if (length !== 4 || end !== datagram.length) return undefined;
      if (view.getUint32(at + 4) !== fingerprintOf(datagram.subarray(0, at))) return undefined;
    } else if (draft.integrityOffset === undefined) {
      if (!takeAttribute(draft, datagram, view, attribute, at, length)) return undefined;
    }
    at = end + ((4 - (length % 4)) % 4);
  }
  return draft;
}

function takeAttribute(
  draft: Draft,
  datagram: Uint8Array,
  view: DataView,
  attribute: number,
  at: number,
  length: number,
): boolean {
  const start = at + 4;
  switch (attribute) {
    case ATTRIBUTE.username:
      // RFC 8489 14.3: fewer than 509 bytes.
      if (length > 508) return false;
      draft.username = Buffer.from(datagram.buffer, datagram.byteOffset + start, length).toString("utf8");
      return true;
    case ATTRIBUTE.messageIntegrity:
      draft.integrityOffset = at;
      return length === INTEGRITY_BYTES;
    case ATTRIBUTE.priority:
      if (length !== 4) return false;
      draft.priority = view.getUint32(start);
      return true;
    case ATTRIBUTE.useCandidate:
      draft.useCandidate = true;
      return length === 0;
    case ATTRIBUTE.iceControlling:
      if (length !== 8) return false;
      draft.iceControlling = view.getBigUint64(start);
      return true;
    case ATTRIBUTE.iceControlled:
      if (length !== 8) return false;
      draft.iceControlled = view.getBigUint64(start);
      return true;
    case ATTRIBUTE.xorMappedAddress:
      draft.xorMappedAddress = readXorAddress(datagram, start, length);
      return draft.xorMappedAddress !== undefined;
    case ATTRIBUTE.errorCode:
      if (length < 4) return false;
      draft.errorCode = (view.getUint8(start + 2) & 7) * 100 + view.getUint8(start + 3);
      return true;
    default:
      if (attribute < 0x8000 && !IGNORED_REQUIRED.has(attribute)) draft.unknownRequired.push(attribute);
      return true;
  }
}

/** RFC 8489 14.2: the address is XORed with the magic cookie and the transaction id. */
function readXorAddress(datagram: Uint8Array, start: number, length: number): StunAddress | undefined {
  const ipBytes = datagram[start + 1] === 1 ? 4 : datagram[start + 1] === 2 ? 16 : 0;
  if (ipBytes === 0 || length !== 4 + ipBytes) return undefined;
  // A copy: `slice` of a Buffer would be a view, and the datagram must stay as it is.
  const ip = Uint8Array.from(datagram.subarray(start + 4, start + 4 + ipBytes));
  for (let index = 0; index < ipBytes; index++) ip[index] = (ip[index] as number) ^ (datagram[4 + index] as number);
  const port = (((datagram[start + 2] as number) << 8) | (datagram[start + 3] as number)) ^ (MAGIC_COOKIE >>> 16);
  return { ip, port };
}

/** Whether MESSAGE-INTEGRITY is there and right (RFC 8489 14.5). Constant time in the password. */
export function hasValidIntegrity(datagram: Uint8Array, message: StunMessage, password: string): boolean {
  const at = message.integrityOffset;
  if (at === undefined) return false;
  const covered = Buffer.from(datagram.subarray(0, at));
  // The length counts up to and with MESSAGE-INTEGRITY, whatever follows.
  covered.writeUInt16BE(at + 4 + INTEGRITY_BYTES - HEADER_BYTES, 2);
  const expected = createHmac("sha1", password).update(covered).digest();
  return timingSafeEqual(expected, datagram.subarray(at + 4, at + 4 + INTEGRITY_BYTES));
}

export interface StunMessageToWrite {
  readonly class: StunClass;
  readonly transactionId: Uint8Array;
  readonly username?: string;
  readonly priority?: number;
  readonly useCandidate?: boolean;
  readonly iceControlling?: bigint;
  readonly iceControlled?: bigint;
  readonly xorMappedAddress?: StunAddress;
  readonly error?: { readonly code: number; readonly reason: string };
  /** For error 420. */
  readonly unknownAttributes?: readonly number[];
  readonly software?: string;
}

/** Writes a Binding message with FINGERPRINT, and with MESSAGE-INTEGRITY when there is a password. */
export function writeStun(message: StunMessageToWrite, password: string | undefined): Uint8Array {
  const parts: Buffer[] = [Buffer.alloc(HEADER_BYTES)];
  const header = parts[0] as Buffer;
  const classBits = CLASSES.indexOf(message.class);
  header.writeUInt16BE(((classBits & 2) << 7) | ((classBits & 1) << 4) | STUN_BINDING, 0);
  header.writeUInt32BE(MAGIC_COOKIE, 4);
  header.set(message.transactionId, 8);

  if (message.software !== undefined) parts.push(attributeOf(ATTRIBUTE.software, Buffer.from(message.software)));
  if (message.error !== undefined) parts.push(attributeOf(ATTRIBUTE.errorCode, errorValue(message.error)));
  if (message.unknownAttributes !== undefined) {
    const value = Buffer.concat(message.unknownAttributes.map(uint16));
    parts.push(attributeOf(ATTRIBUTE.unknownAttributes, value));
  }
  if (message.username !== undefined) parts.push(attributeOf(ATTRIBUTE.username, Buffer.from(message.username)));
  if (message.priority !== undefined) parts.push(attributeOf(ATTRIBUTE.priority, uint32(message.priority)));
  if (message.useCandidate === true) parts.push(attributeOf(ATTRIBUTE.useCandidate, Buffer.alloc(0)));
  if (message.iceControlling !== undefined) {
    parts.push(attributeOf(ATTRIBUTE.iceControlling, uint64(message.iceControlling)));
  }
  if (message.iceControlled !== undefined) {
    parts.push(attributeOf(ATTRIBUTE.iceControlled, uint64(message.iceControlled)));
  }
  if (message.xorMappedAddress !== undefined) {
    const value = xorAddressValue(message.xorMappedAddress, message.transactionId);
    parts.push(attributeOf(ATTRIBUTE.xorMappedAddress, value));
  }

  let body = Buffer.concat(parts);
  if (password !== undefined) {
    body.writeUInt16BE(body.length - HEADER_BYTES + 4 + INTEGRITY_BYTES, 2);
    const mac = createHmac("sha1", password).update(body).digest();
    body = Buffer.concat([body, attributeOf(ATTRIBUTE.messageIntegrity, mac)]);
  }
  body.writeUInt16BE(body.length - HEADER_BYTES + 8, 2);
  return Buffer.concat([body, attributeOf(ATTRIBUTE.fingerprint, uint32(fingerprintOf(body)))]);
}

function attributeOf(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  bytes.set(value, 4);
  return bytes;
}

function xorAddressValue(address: StunAddress, transactionId: Uint8Array): Buffer {
  const value = Buffer.alloc(4 + address.ip.length);
  value.writeUInt8(address.ip.length === 4 ? 1 : 2, 1);
  value.writeUInt16BE(address.port ^ (MAGIC_COOKIE >>> 16), 2);
  const pad = Buffer.concat([uint32(MAGIC_COOKIE), transactionId]);
  for (const [index, byte] of address.ip.entries()) value[4 + index] = byte ^ (pad[index] as number);
  return value;
}

function errorValue(error: { readonly code: number; readonly reason: string }): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, Math.floor(error.code / 100), error.code % 100]),
    Buffer.from(error.reason),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** Over everything before the attribute, whose header's length already counts it. */
function fingerprintOf(before: Uint8Array): number {
  return (crc32(before) ^ FINGERPRINT_XOR) >>> 0;
}
