import type { PathAddress } from "./ports.ts";

/** The layout is docs/specs/path-address.md. */
export const PATH_ADDRESS_BYTES = 52;

export interface PathDescription {
  readonly protocol: "udp" | "tcp";
  readonly family: "IPv4" | "IPv6";
  /** The worker whose socket received it. */
  readonly worker: number;
  /** 4 or 16 bytes. */
  readonly remoteIp: Uint8Array;
  readonly remotePort: number;
  readonly localIp: Uint8Array;
  readonly localPort: number;
  /** TCP connection number, 0 for UDP. */
  readonly connection: number;
  /** Index of the bind address. */
  readonly bind: number;
  /** IPv6 scope id of a link-local remote, else 0. */
  readonly scopeId: number;
}

/** Reads a path; undefined when the bytes are none. The ip arrays are views of `address`. */
export function describePath(address: PathAddress): PathDescription | undefined {
  if (address.length !== PATH_ADDRESS_BYTES) return undefined;
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  const protocol = view.getUint8(0);
  const family = view.getUint8(1);
  if (protocol > 1 || (family !== 4 && family !== 6)) return undefined;
  const ipBytes = family === 4 ? 4 : 16;
  return {
    protocol: protocol === 0 ? "udp" : "tcp",
    family: family === 4 ? "IPv4" : "IPv6",
    worker: view.getUint16(2, true),
    remotePort: view.getUint16(4, true),
    localPort: view.getUint16(6, true),
    connection: view.getUint32(8, true),
    bind: view.getUint16(12, true),
    remoteIp: address.subarray(16, 16 + ipBytes),
    localIp: address.subarray(32, 32 + ipBytes),
    scopeId: view.getUint32(48, true),
  };
}

/** Makes the bytes of a path: for fakes of the data plane, and to hold the layout by a round trip. */
export function makePath(path: PathDescription): PathAddress {
  const bytes = new Uint8Array(PATH_ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, path.protocol === "udp" ? 0 : 1);
  view.setUint8(1, path.family === "IPv4" ? 4 : 6);
  view.setUint16(2, path.worker, true);
  view.setUint16(4, path.remotePort, true);
  view.setUint16(6, path.localPort, true);
  view.setUint32(8, path.connection, true);
  view.setUint16(12, path.bind, true);
  bytes.set(path.remoteIp, 16);
  bytes.set(path.localIp, 32);
  view.setUint32(48, path.scopeId, true);
  return bytes as PathAddress;
}

/** A string that is equal for equal paths: a Map's key. */
export function pathKey(address: PathAddress): string {
  let key = "";
  for (let at = 0; at + 1 < address.length; at += 2) {
    key += String.fromCharCode(((address[at] ?? 0) << 8) | (address[at + 1] ?? 0));
  }
  return key;
}
