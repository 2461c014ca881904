import assert from "node:assert/strict";
import { test } from "node:test";
import { Source } from "@parley/protocol";
import { fuzzBudget, fuzzSeed, SeededRandom } from "@parley/testing";
import { planSlots, type Demand, type SlotPair } from "../src/media/slot-plan.ts";
import { SlotWatch } from "../src/media/csrc-watch.ts";
import { PathWatch } from "../src/media/path-watch.ts";
import { roomOn } from "../src/room/own-room.ts";
import { FakeWorld } from "./fake-world.ts";

function pairsOf(count: number): SlotPair[] {
  return Array.from({ length: count }, (_, pair) => ({ pair, audioMid: `a${pair}`, videoMid: `v${pair}` }));
}

function demand(streamId: number, change: Partial<Demand> = {}): Demand {
  return { key: `${streamId}/0`, streamId, video: "1", audio: "0", isOptional: false, rank: streamId, ...change };
}

test("a stream keeps its pair; audio and video of a stream share it", () => {
  const first = planSlots(pairsOf(3), [demand(1), demand(2)], new Map(), 30);
  assert.deepEqual(
    [...first.assigned],
    [
      [0, "1/0"],
      [1, "2/0"],
    ],
  );
  const second = planSlots(pairsOf(3), [demand(3), demand(2, { video: undefined })], first.assigned, 30);
  assert.deepEqual([...second.assigned].toSorted(), [
    [0, "3/0"],
    [1, "2/0"],
  ]);
  const bound = Object.fromEntries(second.bindings.map(({ mid, streamId }) => [mid, streamId]));
  assert.deepEqual(bound, { v0: 3, a0: 3, v1: 0, a1: 2, v2: 0, a2: 0 });
  assert.deepEqual(second.speakerMids, []);
});

test("with more demands than pairs may be, video comes first and the loudest get the rest", () => {
  const demands = Array.from({ length: 12 }, (_, index) => demand(index + 1, index < 4 ? {} : { video: undefined }));
  const plan = planSlots(pairsOf(8), demands, new Map(), 8);
  assert.equal(plan.assigned.size, 5);
  for (const id of [1, 2, 3, 4]) assert.ok([...plan.assigned.values()].includes(`${id}/0`));
  assert.equal(plan.speakerMids.length, 3);
  assert.equal(plan.wantedPairs, 8);
});

test("muted sound takes a free pair but asks for none", () => {
  const quiet = demand(9, { video: undefined, isOptional: true, rank: 0 });
  const plan = planSlots(pairsOf(1), [quiet, demand(1)], new Map(), 30);
  assert.deepEqual([...plan.assigned.values()], ["1/0"]);
  assert.equal(plan.wantedPairs, 1);
  assert.deepEqual([...planSlots(pairsOf(2), [quiet, demand(1)], new Map(), 30).assigned.values()].toSorted(), [
    "1/0",
    "9/0",
  ]);
});

test("a slot shows a stream only while it is both expected and observed", () => {
  const watch = new SlotWatch();
  assert.deepEqual(watch.expect(1), []);
  assert.deepEqual(watch.observe(2), []);
  assert.deepEqual(watch.observe(1), [{ type: "shows", streamId: 1 }]);
  assert.deepEqual(watch.observe(undefined), [], "silence changes nothing");
  assert.deepEqual(watch.expect(2), [{ type: "stopped", streamId: 1 }]);
  assert.deepEqual(watch.observe(2), [{ type: "shows", streamId: 2 }]);
  assert.deepEqual(watch.expectAny(), []);
  assert.deepEqual(watch.observe(3), [
    { type: "stopped", streamId: 2 },
    { type: "shows", streamId: 3 },
  ]);
  assert.deepEqual(watch.expect(0), [{ type: "stopped", streamId: 3 }]);
});

/** Samples each 600 ms; returns when the path was found dead, in milliseconds. */
function deadAt(samples: readonly { readonly packets: number; readonly expected: boolean }[]): number | undefined {
  const watch = new PathWatch();
  for (const [index, { packets, expected }] of samples.entries()) {
    const atMs = index * 600;
    if (watch.add({ atMs, receivedPackets: packets, expectsPackets: expected })) return atMs;
  }
  return undefined;
}

test("a path is dead after a silence that follows steady packets, not when nothing ever came steadily", () => {
  const steady = Array.from({ length: 10 }, (_, index) => ({ packets: Math.min(index, 4) * 10, expected: true }));
  assert.equal(deadAt(steady), 2_400 + 1_800);
  const quiet = Array.from({ length: 50 }, (_, index) => ({ packets: Math.floor(index / 4), expected: true }));
  assert.equal(deadAt(quiet), undefined);
});

test("[SIG-4] a silence that is to be expected is none: all muted, then only the browser's checks each 2.5 s", () => {
  const flowing = Array.from({ length: 5 }, (_, index) => ({ packets: index * 30, expected: true }));
  // The word that all are muted comes a little later than the silence.
  const hearsay = [0, 0].map(() => ({ packets: 120, expected: true }));
  const checks = Array.from({ length: 60 }, (_, index) => ({
    packets: 120 + Math.floor((index * 600) / 2_500),
    expected: false,
  }));
  assert.equal(deadAt([...flowing, ...hearsay, ...checks]), undefined);
  const dead = Array.from({ length: 30 }, () => ({ packets: 120, expected: false }));
  assert.equal(deadAt([...flowing, ...dead]), 2_400 + 6_000, "and a dead path is found all the same");
  // Unmuted: packets are expected from now on, not since the last one came.
  const again = [...flowing, ...dead.slice(0, 6), { packets: 120, expected: true }, { packets: 120, expected: true }];
  assert.equal(deadAt(again), undefined);
});

test("paging at random, with late and slow switches: a name is never under another's picture", async () => {
  const seed = fuzzSeed(77);
  const more = fuzzBudget(6);
  for (let round = 0; more(round); round += 1) {
    const random = new SeededRandom(seed + round);
    const world = new FakeWorld();
    for (let index = 0; index < 12; index += 1) {
      world.server.addParticipant(`p${index}`);
      world.server.addStream(100 + index, `p${index}`, [
        { mid: "0", kind: "audio", source: Source.MICROPHONE },
        { mid: "1", kind: "video", source: Source.CAMERA },
      ]);
    }
    const room = roomOn(world.platform, { initialPairs: 2 + random.below(4) });
    const connecting = room.connect("ws://server", "token", { room: "r" });
    await world.advance(200);
    await connecting;
    const videos = [...room.remoteParticipants.values()].map((one) => one.getPublication("camera")!);
    /** What came out of each slot last (and so is on the screen): follows the bindings late. */
    const playing = new Map<string, number>();
    let shown = 0;
    for (let step = 0; step < 150; step += 1) {
      if (random.chance(0.15)) {
        const page = random.below(4) * 3;
        videos.forEach((video, index) => video.setVisible(index >= page && index < page + 3));
      }
      await world.advance(20 + random.below(60));
      for (const transceiver of world.peers.at(-1)?.transceivers ?? []) {
        const mid = transceiver.mid ?? "";
        // A switch waits for a key frame; sometimes long.
        const bound = world.server.bindings.get(mid) ?? 0;
        if (bound === 0) continue;
        if (random.chance(0.4)) playing.set(mid, bound);
        const comesOut = playing.get(mid);
        if (comesOut !== undefined) transceiver.play(comesOut, world.clock.monoMs());
      }
      await world.advance(250);
      const used = new Set<MediaStreamTrack>();
      for (const video of videos) {
        if (video.track === undefined) continue;
        shown += 1;
        assert.ok(!used.has(video.track), `seed ${seed + round}: one track under two names`);
        used.add(video.track);
        const slot = world.peers.at(-1)?.transceivers.find(({ receiver }) => receiver.track.asTrack() === video.track);
        assert.equal(playing.get(slot?.mid ?? ""), video.streamId, `seed ${seed + round}, step ${step}`);
      }
    }
    assert.ok(shown > 20, "pictures were shown at all");
    // In the end everybody who is looked at is seen.
    videos.forEach((video, index) => video.setVisible(index < 5));
    await world.advance(500);
    for (const transceiver of world.peers.at(-1)?.transceivers ?? []) {
      transceiver.play(world.server.bindings.get(transceiver.mid ?? "") ?? 0, world.clock.monoMs());
    }
    await world.advance(300);
    assert.deepEqual(
      videos.map(({ track }) => track !== undefined),
      videos.map((_, index) => index < 5),
    );
  }
});
