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

function i32(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeInt32LE(value, index * 4));
  return bytes;
}

function group(deltas: readonly number[], arrived: number, packets: number, lost: number): Uint8Array {
  const counts = Buffer.alloc(4);
  counts.writeUInt16LE(packets, 0);
  counts.writeUInt16LE(lost, 2);
  return Buffer.concat([i32(...deltas, arrived), counts]);
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
    record(
      8,
      u64(13),
      u64(5_000_250),
      i32(70_000, 7, 8_400, 2),
      group([10_000, -250], 3_600, 3, 1),
      group([-5, 9], 1, 2, 0),
    ),
    record(8, u64(14), u64(6_000_000), i32(0, 0, 0, 3)),
  ]);
  const events = decodeEvents(batch);
  assert.deepEqual(
    events.map((event) => event.type),
    [
      "stun",
      "nominated",
      "dtls",
      "ssrc",
      "slot-started",
      "path-closed",
      "track-ended",
      "transport-feedback",
      "transport-feedback",
    ],
  );
  assert.deepEqual(events[0], {
    type: "stun",
    address: path,
    datagram: batch.subarray(4 + 1 + 52, 4 + 1 + 55),
  });
  assert.deepEqual(events[1], { type: "nominated", peer: handle, address: path });
  assert.deepEqual(events[3], { type: "ssrc", track: 8, ssrc: 0xffffffff, rid: "hi" });
  assert.deepEqual(events[7], {
    type: "transport-feedback",
    peer: 13,
    receivedMonoMs: 5_000.25,
    feedbackDelayUs: 70_000,
    packets: 7,
    bytes: 8_400,
    lost: 2,
    groups: [
      { sendDeltaUs: 10_000, receiveDeltaUs: -250, bytes: 3_600, packets: 3, lost: 1 },
      { sendDeltaUs: -5, receiveDeltaUs: 9, bytes: 1, packets: 2, lost: 0 },
    ],
  });
  assert.equal(events[8]?.type === "transport-feedback" && events[8].groups.length, 0);
  assert.deepEqual(events[4], { type: "slot-started", slot: 9, track: 10 });
});
