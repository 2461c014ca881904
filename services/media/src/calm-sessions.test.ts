import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SessionState } from "@parley/protocol";
import { World, videoSlot, videoTrack } from "./test/world.ts";

describe("a viewer of whom nothing is awaited", () => {
  let world: World;
  const publisher = { sessionId: "p", receives: [videoTrack(7)] };
  const viewer = { sessionId: "w", slots: [videoSlot({ sessionId: "p", streamId: 7 })] };

  beforeEach(async () => {
    world = new World();
    await world.grant(publisher);
    await world.grant(viewer);
    await world.connect("p");
    await world.connect("w");
    world.plane.emit({ type: "slot-started", slot: slot().handle, track: world.track("p", "v").handle });
    await live(5_000);
  });

  afterEach(() => world.close());

  const slot = () => world.slot("w", "sv");

  /** Time with a client that lives and a signaling that still wants it; returns how many statuses were told of it. */
  async function live(durationMs: number): Promise<number> {
    const before = world.statusCount("w");
    for (let passedMs = 0; passedMs < durationMs; passedMs += 1_000) {
      for (const sessionId of ["p", "w"]) {
        world.keepAlive(sessionId);
        await world.confirm({ sessionId, revision: 1n });
      }
      await world.pass(1_000);
    }
    return world.statusCount("w") - before;
  }

  /** The same with packets going out, of which the client's reports miss so many. */
  async function lose(lossRatio: number, durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 1_000) {
      slot().counters = { ...slot().counters, bytes: slot().counters.bytes + 1_000, lossRatio };
      await live(1_000);
    }
  }

  it("is told every 30 s", async () => {
    const told = await live(120_000);
    assert.ok(told >= 3 && told <= 5, `${told} times in two minutes`);
    assert.equal(world.status("w").slots[0]?.streamId, 7);
  });

  it("loses its packets: that is told within 5 s", async () => {
    await live(10_000);
    await lose(0.25, 6_000);
    assert.equal(world.status("w").slots[0]?.lossRatio, 0.25);
  });

  it("loses little, and then nothing: the end is told within 6 s as well", async () => {
    await live(10_000);
    await lose(0.04, 6_000);
    const told = () => world.status("w").slots[0]?.lossRatio ?? 1;
    assert.ok(Math.abs(told() - 0.04) < 0.001);
    await lose(0, 6_000);
    assert.equal(told(), 0);
  });

  it("says in transport-wide feedback that nearly all arrives: a report of a second in which one of thirty was lost is no news", async () => {
    await live(20_000);
    let told = 0;
    for (let passedMs = 0; passedMs < 20_000; passedMs += 1_000) {
      const { counters } = world.peer("w");
      const lost = passedMs % 10_000 === 0 ? 1 : 0;
      world.peer("w").counters = {
        ...counters,
        deliveredPackets: counters.deliveredPackets + 30,
        deliveredBytes: counters.deliveredBytes + 30_000,
        undeliveredPackets: counters.undeliveredPackets + lost,
      };
      slot().counters = { ...slot().counters, bytes: slot().counters.bytes + 30_000, lossRatio: 0.03 };
      told += await live(1_000);
    }
    assert.ok(told <= 1, `${told} statuses`);
  });

  it("falls silent: that is told within 16 s, and that it is back; consent runs out after 30 s", async () => {
    await world.pass(9_000);
    assert.equal(world.status("w").silent, false);
    await world.pass(7_000);
    assert.equal(world.status("w").silent, true);
    await live(6_000);
    assert.equal(world.status("w").silent, false);
    await world.confirm({ sessionId: "w", revision: 1n });
    await world.pass(36_000);
    assert.equal(world.status("w").state, SessionState.FAILED);
  });

  it("is bound to another picture, and from then on looked at each second until that is there", async () => {
    await live(10_000);
    await world.grant({ ...publisher, sessionId: "q", receives: [videoTrack(8)] });
    await world.grant({ ...viewer, revision: 2n, slots: [videoSlot({ sessionId: "q", streamId: 8 })] });
    const { handle } = world.track("q", "v");
    const asked = () => world.plane.tracks.get(handle)?.keyFrameRequests ?? 0;
    const before = asked();
    await live(4_000);
    assert.ok(asked() - before >= 3, `asked ${asked() - before} times`);
    // The event is lost; the counter tells.
    slot().counters = { ...slot().counters, streamId: 8 };
    await live(2_000);
    assert.equal(world.status("w").slots[0]?.streamId, 8);
    const then = asked();
    await live(4_000);
    assert.equal(asked(), then);
  });
});
