import assert from "node:assert/strict";
import { test } from "node:test";
import type { MediaPlane, SlotOptions, TrackOptions } from "@parley/domain-media-control";
import { MediaKind } from "@parley/protocol";
import type { KeptFeedback } from "../kept-feedback.ts";

/** A fresh data plane for one test, and how the test reaches its inside. */
export interface MediaPlaneUnderTest {
  readonly plane: MediaPlane;
  /** Resolves when all commands given before have taken effect. */
  readonly settle: () => Promise<void>;
  /**
   * Sends a subscriber several bursts and lets it report them; resolves with all its feedback when some burst was told. The plane's events
   * and feedback belong to the subject.
   */
  readonly reported: () => Promise<readonly KeptFeedback[]>;
  readonly close: () => Promise<void>;
}

const ice = { localUfrag: "ufrag", localPassword: "a password of enough letters", remoteUfrag: "theirs" };
const track: TrackOptions = {
  mid: "v",
  kind: MediaKind.VIDEO,
  streamId: 7,
  payloadTypes: [96],
  encodings: [{ ssrc: 1, rtxSsrc: 2, rid: "" }],
  keyFrameIntervalMs: 500,
};
const slot: SlotOptions = { mid: "s", kind: MediaKind.VIDEO, ssrc: 3, rtxSsrc: 4, clockRateHz: 90_000 };

/** What every {@link MediaPlane} must do, as far as it shows without a client. Each implementation's test calls this once. */
export function mediaPlaneContract(name: string, make: () => Promise<MediaPlaneUnderTest>): void {
  const contract = (title: string, run: (subject: MediaPlaneUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const subject = await make();
      try {
        await run(subject);
      } finally {
        await subject.close();
      }
    });
  };
  handles(contract);
  rates(contract);
  feedback(contract);
}

type Contract = (title: string, run: (subject: MediaPlaneUnderTest) => Promise<void>) => void;

function handles(contract: Contract): void {
  contract("handles are never used again, counters live as long as their handle", async ({ plane, settle }) => {
    const seen = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const peer = plane.openPeer({ ice });
      const opened = [peer, plane.openTrack(peer, track), plane.openSlot(peer, slot)] as const;
      for (const handle of opened) {
        assert.ok(handle > 0 && Number.isSafeInteger(handle));
      }
      // Kinds are counted for themselves.
      opened.forEach((handle, kind) => seen.add(`${kind} ${handle}`));
      assert.equal(plane.peerCounters(peer)?.rxPackets, 0);
      assert.equal(plane.trackCounters(opened[1])?.packets, 0);
      assert.equal(plane.slotCounters(opened[2])?.packets, 0);
      plane.closePeer(peer);
      assert.equal(plane.peerCounters(peer), undefined);
      assert.equal(plane.trackCounters(opened[1]), undefined);
      assert.equal(plane.slotCounters(opened[2]), undefined);
      await settle();
    }
    assert.equal(seen.size, 60);
  });

  contract("commands for what is closed are ignored and counted", async ({ plane, settle }) => {
    const peer = plane.openPeer({ ice });
    const opened = plane.openTrack(peer, track);
    const receiving = plane.openSlot(peer, slot);
    plane.bindSlot(receiving, opened, [{ from: 96, to: 96 }]);
    plane.closeTrack(opened);
    await settle();
    assert.equal(plane.counters.staleCommands, 0);
    plane.closeTrack(opened);
    plane.setTrackPaused(opened, true);
    plane.requestKeyFrame(opened);
    plane.closePeer(peer);
    plane.closeSlot(receiving);
    plane.closePeer(peer);
    plane.setPeerCodecs(peer, [], []);
    plane.retirePreviousIce(peer);
    await settle();
    assert.equal(plane.counters.staleCommands, 7);
  });
}

function rates(contract: Contract): void {
  contract(
    "a pacing rate is taken for an open peer, again and back, and is stale for a closed one",
    async (subject) => {
      const { plane, settle } = subject;
      const peer = plane.openPeer({ ice });
      for (const bitrateBps of [1_000_000, 0, 30_000, 1e12, 0.5]) plane.setPacingRate(peer, bitrateBps);
      await settle();
      assert.equal(plane.counters.staleCommands, 0);
      const { pacedBytes, pacedPackets, pacingDelayUs, pacingDrops } = plane.peerCounters(peer) ?? {};
      assert.deepEqual([pacedBytes, pacedPackets, pacingDelayUs, pacingDrops], [0, 0, 0, 0]);
      plane.closePeer(peer);
      plane.setPacingRate(peer, 1_000_000);
      await settle();
      assert.equal(plane.counters.staleCommands, 1);
    },
  );
}

function feedback(contract: Contract): void {
  contract("transport-wide feedback comes as sums and groups, and is added to the peer's counters", async (subject) => {
    const { plane } = subject;
    const beganMs = plane.nowMs();
    const told = await subject.reported();
    const sum = (field: "packets" | "bytes" | "lost"): number => told.reduce((total, each) => total + each[field], 0);
    for (const { peer, receivedMonoMs, feedbackDelayUs, packets, bytes, lost } of told) {
      assert.equal(peer, told[0]?.peer);
      assert.ok(receivedMonoMs >= beganMs && receivedMonoMs <= plane.nowMs());
      assert.ok(packets + lost > 0 && bytes >= packets * 28);
      assert.ok(packets === 0 || (feedbackDelayUs > 0 && feedbackDelayUs < 5_000_000));
    }
    const groups = told.flatMap((each) => each.groups);
    assert.ok(groups.length > 0);
    for (const group of groups) {
      // Arrivals may be in one tick of 250 us, or turned round; sendings may not.
      assert.ok(group.sendDeltaUs > 0 && group.sendDeltaUs < 5_000_000, `sent after ${group.sendDeltaUs} us`);
      assert.ok(Math.abs(group.receiveDeltaUs) < 5_000_000, `came after ${group.receiveDeltaUs} us`);
      assert.ok(group.packets > 0 && group.bytes >= group.packets * 28);
    }
    // The first burst has nothing to be compared with, and the last may not be whole.
    assert.ok(groups.reduce((total, group) => total + group.packets, 0) < sum("packets"));
    const counters = told[0] && plane.peerCounters(told[0].peer);
    // More may have come meanwhile.
    assert.ok(counters !== undefined && counters.deliveredPackets >= sum("packets"));
    assert.ok(counters.deliveredBytes >= sum("bytes"));
    assert.ok(counters.undeliveredPackets >= sum("lost"));
    assert.ok(counters.feedbackDelayUs > 0);
    assert.equal(plane.counters.feedbackDropped, 0);
    // Nothing comes by itself.
    const length = told.length;
    for (let turn = 0; turn < 20; turn += 1) await subject.settle();
    assert.equal(told.length, length);
    // The subscriber goes on, but nobody listens.
    if (told[0] !== undefined) plane.sendFeedbackTo(told[0].peer, undefined);
    plane.takeTransportFeedback();
    for (let turn = 0; turn < 20; turn += 1) await subject.settle();
    plane.takeTransportFeedback();
    assert.equal(told.length, length);
  });
}
