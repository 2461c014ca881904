import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerHandle } from "@parley/domain-media-control";
import { keptFeedback, type KeptFeedback } from "@parley/testing";
import { FeedbackReader } from "./transport-feedback.ts";

/** Writes as the data plane does; returns the bytes. */
function write(block: ArrayBuffer, records: readonly KeptFeedback[]): number {
  const view = new DataView(block);
  let at = 0;
  const u32 = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  const f64 = (value: number): void => {
    view.setFloat64(at, value, true);
    at += 8;
  };
  for (const { peer, receivedMonoMs, feedbackDelayUs, packets, bytes, lost, groups } of records) {
    u32(36 + groups.length * 16);
    u32(feedbackDelayUs);
    f64(peer);
    f64(receivedMonoMs * 1000);
    for (const value of [packets, bytes, lost, groups.length]) u32(value);
    for (const group of groups) {
      u32(group.sendDeltaUs >>> 0);
      u32(group.receiveDeltaUs >>> 0);
      u32(group.bytes);
      u32(group.packets | (group.lost << 16));
    }
  }
  return at;
}

const some: readonly KeptFeedback[] = [
  {
    peer: 2 ** 52 + 12_345,
    receivedMonoMs: 5_000.25,
    feedbackDelayUs: 70_000,
    packets: 7,
    bytes: 8_400,
    lost: 2,
    groups: [
      { sendDeltaUs: 10_000, receiveDeltaUs: -250, bytes: 3_600, packets: 3, lost: 1 },
      { sendDeltaUs: 5, receiveDeltaUs: 9, bytes: 0xffff_fff0, packets: 0xffff, lost: 0xfffe },
    ],
  },
  { peer: 14, receivedMonoMs: 6_000, feedbackDelayUs: 0, packets: 0, bytes: 0, lost: 3, groups: [] },
].map((each) => ({ ...each, peer: each.peer as PeerHandle }));

test("reads every record in order, and only those that were written this time", () => {
  const block = new ArrayBuffer(1_024);
  const reader = new FeedbackReader(block);
  const read = (bytes: number): KeptFeedback[] => {
    const found: KeptFeedback[] = [];
    reader.each(bytes, (feedback) => found.push(keptFeedback(feedback)));
    return found;
  };
  assert.deepEqual(read(write(block, some)), some);
  assert.deepEqual(read(write(block, some.slice(1))), some.slice(1));
  assert.deepEqual(read(0), []);
});
