import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PATH_ADDRESS_BYTES, type PathDescription, describePath, makePath, pathKey } from "./path-address.ts";
import type { PathAddress } from "./ports.ts";

const v4: PathDescription = {
  protocol: "udp",
  family: "IPv4",
  worker: 1,
  remoteIp: new Uint8Array([192, 0, 2, 7]),
  remotePort: 50000,
  localIp: new Uint8Array([192, 0, 2, 1]),
  localPort: 3478,
  connection: 0,
  bind: 2,
  scopeId: 0,
};

const v6: PathDescription = {
  ...v4,
  protocol: "tcp",
  family: "IPv6",
  remoteIp: Uint8Array.from({ length: 16 }, (_, index) => index),
  localIp: new Uint8Array(16).fill(0xfe),
  connection: 0xdeadbeef,
  scopeId: 3,
};

describe("path addresses (docs/specs/path-address.md)", () => {
  it("have the layout of the spec", () => {
    const bytes = makePath(v4);
    assert.equal(bytes.length, 52);
    assert.deepEqual([...bytes.subarray(0, 16)], [0, 4, 1, 0, 0x50, 0xc3, 0x96, 0x0d, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert.deepEqual([...bytes.subarray(16, 22)], [192, 0, 2, 7, 0, 0]);
  });

  it("are read as they were made", () => {
    for (const path of [v4, v6]) assert.deepEqual(describePath(makePath(path)), path);
  });

  it("are equal by key exactly when they are equal", () => {
    assert.equal(pathKey(makePath(v4)), pathKey(makePath(v4)));
    assert.notEqual(pathKey(makePath(v4)), pathKey(makePath({ ...v4, remotePort: 50001 })));
  });

  it("anything else is none", () => {
    const wrong = (change: (bytes: PathAddress) => void): PathAddress => {
      const bytes = makePath(v4);
      change(bytes);
      return bytes;
    };
    assert.equal(describePath(new Uint8Array(PATH_ADDRESS_BYTES - 1) as PathAddress), undefined);
    assert.equal(describePath(wrong((bytes) => void (bytes[0] = 2))), undefined);
    assert.equal(describePath(wrong((bytes) => void (bytes[1] = 5))), undefined);
  });
});
