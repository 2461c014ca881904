import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerHandle } from "@parley/domain-media-control";
import { keptFeedback, type KeptFeedback } from "@parley/testing";
import { FeedbackReader, FeedbackSinks } from "./transport-feedback.ts";

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
    u32(peer % 2 ** 22);
    u32(Math.floor(peer / 2 ** 22));
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
  let found: KeptFeedback[] = [];
  const sinks = new FeedbackSinks();
  for (const { peer } of some) sinks.set(peer, { take: (feedback) => void found.push(keptFeedback(feedback)) });
  const read = (bytes: number): KeptFeedback[] => {
    found = [];
    reader.each(bytes, sinks);
    return found;
  };
  assert.deepEqual(read(write(block, some)), some);
  assert.deepEqual(read(write(block, some.slice(1))), some.slice(1));
  assert.deepEqual(read(0), []);
});

test("a report goes to whoever wants its peer's, and not to who has its place by now", () => {
  const handle = (index: number, generation: number): PeerHandle => (generation * 2 ** 22 + index) as PeerHandle;
  const sinks = new FeedbackSinks();
  const one = { take: () => undefined };
  const other = { take: () => undefined };
  assert.equal(sinks.isEmpty, true);
  sinks.set(handle(7, 1), one);
  sinks.set(handle(2, 2 ** 31 - 1), other);
  assert.equal(sinks.find(7, 1), one);
  assert.equal(sinks.find(2, 2 ** 31 - 1), other);
  assert.equal(sinks.find(3, 0), undefined);
  assert.equal(sinks.find(9_999, 1), undefined);
  sinks.set(handle(7, 2), other);
  assert.equal(sinks.find(7, 1), undefined);
  assert.equal(sinks.find(7, 2), other);
  sinks.set(handle(7, 1), undefined);
  assert.equal(sinks.find(7, 2), other);
  sinks.set(handle(7, 2), undefined);
  sinks.set(handle(7, 2), undefined);
  assert.equal(sinks.isEmpty, false);
  sinks.set(handle(2, 2 ** 31 - 1), undefined);
  assert.equal(sinks.isEmpty, true);
});
