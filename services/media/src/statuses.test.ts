import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PeerCounters } from "@parley/domain-media-control";
import { subjects } from "@parley/foundation";
import { type AudioLevels, AudioLevelsSchema, Codec, GrantsWantedSchema, MediaKind } from "@parley/protocol";
import { noSlotCounters, noTrackCounters } from "@parley/testing";
import { World, videoSlot, videoTrack } from "./test/world.ts";

describe("what a media node says of its sessions", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  it("with rate and loss, and at once when a track falls silent", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    await world.connect("p");
    const feed = (packets: number): void => {
      const each = world.track("p", "v");
      each.counters = {
        ...noTrackCounters,
        packets,
        bytes: packets * 1000,
        lost: Math.floor(packets / 10),
        payloadType: 96,
        lastPacketMonoMs: world.plane.nowMs(),
      };
      world.keepAlive("p");
    };
    for (let second = 1; second <= 3; second += 1) {
      feed(second * 100);
      await world.pass(1000);
    }
    const [live] = world.status("p").tracks;
    assert.equal(live?.live, true);
    assert.equal(live.codec, Codec.VP8);
    assert.equal(live.bitrateBps, 800_000);
    assert.ok(Math.abs(live.lossRatio - 10 / 110) < 0.001);
    await world.pass(3000);
    assert.equal(world.status("p").tracks[0]?.live, false);
    feed(400);
    await world.pass(1000);
    assert.equal(world.status("p").tracks[0]?.live, true);
    world.plane.emit({ type: "track-ended", track: world.track("p", "v").handle });
    await world.settle();
    assert.equal(world.status("p").tracks[0]?.live, false, "RTCP BYE");
  });

  it("carry the loss and rate of slots, the level of audio, and the round trip", async () => {
    const audio = { mid: "a", kind: MediaKind.AUDIO, streamId: 7, payloadTypes: [111] };
    await world.grant({ sessionId: "p", receives: [audio], slots: [videoSlot()] });
    await world.connect("p");
    for (let second = 1; second <= 3; second += 1) {
      const each = world.track("p", "a");
      each.counters = { ...noTrackCounters, packets: second, audioLevel: 90, lastPacketMonoMs: world.plane.nowMs() };
      world.slot("p", "sv").counters = { ...noSlotCounters, bytes: second * 1000, lossRatio: 0.25 };
      world.keepAlive("p");
      world.peer("p").counters = { ...world.peer("p").counters, rttUs: 12_500 };
      await world.pass(1000);
    }
    const status = world.status("p");
    assert.equal(status.rttMs, 12.5);
    assert.equal(status.tracks[0]?.audioLevel, 90);
    assert.equal(status.slots[0]?.bitrateBps, 8000);
    assert.equal(status.slots[0].lossRatio, 0.25);
    world.keepAlive("p");
    await world.pass(1000);
    assert.equal(world.status("p").slots[0]?.lossRatio, 0, "a slot that is sent nothing loses nothing");
  });

  it("what is new is said at once and twice more; what stays the same, every five seconds", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
    await world.connect("p");
    // How often it is told in the second that follows.
    const told = async (): Promise<number> => {
      const before = world.statusCount("p");
      world.keepAlive("p");
      await world.pass(1000);
      return world.statusCount("p") - before;
    };
    assert.deepEqual([await told(), await told(), await told()], [1, 1, 0], "the connection");
    const slot = world.slot("p", "sv");
    const measure = (lossRatio: number, rttMs: number): void => {
      slot.counters = { ...slot.counters, bytes: slot.counters.bytes + 1000, lossRatio };
      const peer = world.peer("p");
      peer.counters = { ...peer.counters, rttUs: rttMs * 1000 };
    };
    measure(0.015, 15);
    assert.equal(await told(), 0, "noise");
    measure(0.2, 15);
    assert.equal(await told(), 1, "loss");
    measure(0.24, 15);
    assert.equal(await told(), 0, "noise of a great loss");
    measure(0.08, 15);
    assert.equal(await told(), 1, "less loss");
    measure(0.08, 40);
    assert.equal(await told(), 1, "the round trip");
    let count = 0;
    for (let second = 0; second < 20; second += 1) {
      measure(0.08, 40);
      count += await told();
    }
    assert.equal(count, 4);
    assert.ok(Math.abs((world.status("p").slots[0]?.lossRatio ?? 0) - 0.08) < 1e-6);
    world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, create(GrantsWantedSchema)));
    await world.settle();
    assert.deepEqual(
      [await told(), await told(), await told(), await told()],
      [1, 1, 1, 0],
      "a new owner of the rooms",
    );
  });

  it("2,000 sessions have one timer, and spread their turns", async () => {
    const timers = world.clock.pendingCount;
    for (let index = 0; index < 2000; index += 1) await world.grant({ sessionId: `s${index}` });
    assert.equal(world.clock.pendingCount, timers);
    const turns = async (): Promise<{ readonly all: number; readonly most: number }> => {
      world.statuses.length = 0;
      let most = 0;
      for (let step = 0; step < 20; step += 1) {
        const before = world.statuses.length;
        await world.pass(50);
        most = Math.max(most, world.statuses.length - before);
      }
      return { all: world.statuses.length, most };
    };
    assert.deepEqual(await turns(), { all: 2000, most: 200 });
    assert.deepEqual(await turns(), { all: 2000, most: 200 });
    assert.deepEqual(await turns(), { all: 0, most: 0 });
  });

  it("hands transport-wide feedback on under its session, and nothing of peers that are gone", async () => {
    await world.grant({ sessionId: "p" });
    const { handle } = world.peer("p");
    const told = { peer: handle, receivedMonoMs: 5, feedbackDelayUs: 9, groups: [] };
    world.plane.report({ ...told, packets: 3, bytes: 3_000, lost: 1 });
    world.plane.report({ ...told, packets: 4, bytes: 4_000, lost: 0 });
    assert.equal(world.feedback.length, 0);
    await world.pass(50);
    assert.deepEqual(
      world.feedback.map(({ sessionId, told: { packets } }) => [sessionId, packets]),
      [
        ["p", 3],
        ["p", 4],
      ],
    );
    await world.grant({ sessionId: "p", revision: 2n, closed: true });
    world.plane.report({ ...told, packets: 1, bytes: 1_000, lost: 0 });
    await world.pass(50);
    assert.equal(world.feedback.length, 2);
    assert.deepEqual(world.unfollowed, ["p"]);
    await world.grant({ sessionId: "q" });
    assert.equal(world.plane.feedbackIsWanted, true);
    world.node.close();
    assert.deepEqual(world.unfollowed, ["p", "q"]);
    assert.equal(world.plane.feedbackIsWanted, false);
  });

  it("tells what reaches the client: rate, loss, and how long it waits for its turn", async () => {
    await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
    await world.connect("p");
    const play = (counters: Partial<PeerCounters>): void => {
      world.keepAlive("p");
      const peer = world.peer("p");
      peer.counters = { ...peer.counters, ...counters };
    };
    await world.pass(1000);
    assert.equal(world.status("p").delivery, undefined);
    play({ deliveredPackets: 90, deliveredBytes: 125_000, undeliveredPackets: 10, pacingDelayUs: 12_500 });
    await world.pass(1000);
    assert.equal(world.status("p").delivery?.bitrateBps, 1_000_000);
    assert.ok(Math.abs((world.status("p").delivery?.lossRatio ?? 0) - 0.1) < 1e-6);
    assert.equal(world.status("p").delivery?.pacingDelayMs, 12.5);
    play({ deliveredPackets: 190, deliveredBytes: 187_500, pacingDelayUs: 0 });
    await world.pass(1000);
    assert.equal(world.status("p").delivery?.bitrateBps, 500_000);
    assert.equal(world.status("p").delivery?.lossRatio, 0);
    assert.equal(world.status("p").delivery?.pacingDelayMs, 0);
  });

  it("tells changed sound levels ten times a second: one message for all rooms and tracks, none when nothing changes", async () => {
    const told: AudioLevels[] = [];
    world.bus.subscribe(subjects.mediaLevels, ({ payload }) => told.push(fromBinary(AudioLevelsSchema, payload)));
    const levels = (values: Readonly<Record<string, number>>): void => {
      for (const [sessionId, audioLevel] of Object.entries(values)) {
        const track = world.track(sessionId, "a");
        track.counters = { ...noTrackCounters, packets: 1, audioLevel, lastPacketMonoMs: world.plane.nowMs() };
      }
    };
    const receives = [videoTrack(7), { ...videoTrack(7), mid: "a", kind: MediaKind.AUDIO, payloadTypes: [111] }];
    await world.grant({ sessionId: "p", receives });
    await world.grant({ sessionId: "q", receives });
    await world.grant({ sessionId: "r", roomId: "other", receives });
    await world.pass(1_000);
    assert.equal(told.length, 0, "silence is no news");
    levels({ p: 90, q: 60, r: 100 });
    await world.pass(100);
    assert.equal(told.length, 1);
    const [first] = told;
    assert.deepEqual([first?.nodeId, first?.nodeBootId], ["node", world.node.bootId]);
    const plain = (message: AudioLevels | undefined): unknown =>
      message?.rooms.map((room) => room.tracks.map(({ sessionId, mid, level }) => [sessionId, mid, level]));
    assert.deepEqual(plain(first), [
      [
        ["p", "a", 90],
        ["q", "a", 60],
      ],
      [["r", "a", 100]],
    ]);
    levels({ p: 92, q: 59, r: 100 });
    await world.pass(1_000);
    assert.equal(told.length, 1, "noise is no change");
    levels({ p: 2, q: 64 });
    await world.pass(100);
    levels({ p: 0 });
    await world.grant({ sessionId: "q", revision: 2n, closed: true });
    await world.pass(1_000);
    assert.deepEqual(told.slice(1).map(plain), [
      [
        [
          ["p", "a", 2],
          ["q", "a", 64],
        ],
      ],
      [[["p", "a", 0]]],
    ]);
  });
});
