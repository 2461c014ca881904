import assert from "node:assert/strict";
import { test } from "node:test";
import type { MediaPlane, MediaPlaneEvent, PeerHandle, SlotOptions, TrackOptions } from "@parley/domain-media-control";
import { MediaKind } from "@parley/protocol";

/** A fresh data plane for one test, and how the test reaches its inside. */
export interface MediaPlaneUnderTest {
  readonly plane: MediaPlane;
  /** Resolves when all commands given before have taken effect. */
  readonly settle: () => Promise<void>;
  /**
   * Makes a subscriber tell of packets it was sent: two bursts and the beginning of a third, the last packet of the first lost. Resolves with
   * its peer when the report has left. The rates of both directions are up to the adapter.
   */
  readonly report: () => Promise<PeerHandle>;
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
    const seen = new Set<number>();
    for (let round = 0; round < 20; round += 1) {
      const peer = plane.openPeer({ ice });
      const opened = [peer, plane.openTrack(peer, track), plane.openSlot(peer, slot)] as const;
      for (const handle of opened) {
        assert.ok(handle > 0 && Number.isSafeInteger(handle));
        // Kinds are counted for themselves.
        seen.add(handle * 4 + opened.indexOf(handle));
      }
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
    const coming = new Promise<Extract<MediaPlaneEvent, { type: "transport-feedback" }>>((resolve) => {
      plane.onEvents((events) => {
        for (const event of events) if (event.type === "transport-feedback") resolve(event);
      });
    });
    const peer = await subject.report();
    const told = await coming;
    assert.equal(told.peer, peer);
    assert.ok(told.receivedMonoMs >= beganMs && told.receivedMonoMs <= plane.nowMs());
    assert.ok(told.feedbackDelayUs > 0 && told.feedbackDelayUs < 5_000_000);
    assert.ok(told.packets > 0 && told.bytes > told.packets * 28);
    assert.equal(told.lost, 1);
    // The first burst has nothing to be compared with, and the last may not be whole.
    assert.equal(told.groups.length, 1);
    const [group] = told.groups;
    assert.ok(group !== undefined && group.sendDeltaUs > 5_000 && group.receiveDeltaUs > 0);
    assert.ok(group.packets > 0 && group.packets < told.packets && group.bytes < told.bytes);
    assert.equal(group.lost, 0);
    const counters = plane.peerCounters(peer);
    assert.equal(counters?.deliveredPackets, told.packets);
    assert.equal(counters?.deliveredBytes, told.bytes);
    assert.equal(counters?.undeliveredPackets, 1);
    assert.equal(counters?.feedbackDelayUs, told.feedbackDelayUs);
    assert.equal(plane.counters.feedbackDropped, 0);
  });
}
