import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeEvents } from "./events.ts";

function record(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  const body = Buffer.concat(parts.map((part) => (typeof part === "number" ? Uint8Array.of(part) : part)));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([length, body]);
}

function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

const path = new Uint8Array(52).map((_, index) => index);

test("reads every kind of event, in order", () => {
  const handle = 2 ** 52 + 12345;
  const batch = Buffer.concat([
    record(1, path, Uint8Array.of(1, 2, 3)),
    record(2, u64(handle), path),
    record(3, u64(7), path, Uint8Array.of(22)),
    record(4, u64(8), Uint8Array.of(0xff, 0xff, 0xff, 0xff), Buffer.from("hi")),
    record(5, u64(9), u64(10)),
    record(6, u64(11), path),
    record(99, u64(1)),
    record(7, u64(12)),
  ]);
  const events = decodeEvents(batch);
  assert.deepEqual(
    events.map((event) => event.type),
    ["stun", "nominated", "dtls", "ssrc", "slot-started", "path-closed", "track-ended"],
  );
  assert.deepEqual(events[0], {
    type: "stun",
    address: path,
    datagram: batch.subarray(4 + 1 + 52, 4 + 1 + 55),
  });
  assert.deepEqual(events[1], { type: "nominated", peer: handle, address: path });
  assert.deepEqual(events[3], { type: "ssrc", track: 8, ssrc: 0xffffffff, rid: "hi" });
  assert.deepEqual(events[4], { type: "slot-started", slot: 9, track: 10 });
});
