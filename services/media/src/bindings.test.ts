import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { errorNumber } from "@parley/protocol";
import { World, av1, opus, videoSlot, videoTrack, vp8 } from "./test/world.ts";

describe("how a media node binds slots to tracks", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  const publisher = { sessionId: "p", receives: [videoTrack(7)] };
  const viewer = { sessionId: "w", slots: [videoSlot({ sessionId: "p", streamId: 7 })] };

  it("a viewer that comes first waits, and starts when the publisher comes", async () => {
    await world.grant(viewer);
    assert.equal(world.slot("w", "sv").track, undefined);
    await world.grant(publisher);
    const bound = world.slot("w", "sv");
    assert.equal(bound.track, world.track("p", "v").handle);
    assert.deepEqual(bound.payloadTypes, [{ from: 96, to: 96 }]);
    assert.equal(bound.binds, 1);
  });

  it("a viewer that comes late is bound at once, and tells when pictures flow", async () => {
    await world.grant(publisher);
    await world.grant(viewer);
    const bound = world.slot("w", "sv");
    assert.equal(bound.track, world.track("p", "v").handle);
    assert.equal(world.status("w").slots[0]?.streamId, 0);
    world.plane.emit({ type: "slot-started", slot: bound.handle, track: world.track("p", "v").handle });
    await world.soon();
    assert.equal(world.status("w").slots[0]?.streamId, 7);
  });

  it("many switches are told once, within a fifth of a second", async () => {
    await world.grant(publisher);
    await world.grant({ ...publisher, sessionId: "p2", receives: [videoTrack(8)] });
    await world.grant(viewer);
    await world.soon();
    const before = world.statusCount("w");
    for (let revision = 2n; revision < 12n; revision += 1n) {
      const to = revision % 2n === 0n ? { sessionId: "p2", streamId: 8 } : { sessionId: "p", streamId: 7 };
      await world.grant({ ...viewer, revision, slots: [videoSlot(to)] });
      const track = world.track(to.sessionId, "v").handle;
      world.plane.emit({ type: "slot-started", slot: world.slot("w", "sv").handle, track });
    }
    assert.equal(world.statusCount("w"), before);
    await world.soon();
    assert.equal(world.status("w").acknowledgedRevision, 11n);
    assert.equal(world.status("w").slots[0]?.streamId, 7);
    // The session's regular status may fall into that time.
    const told = world.statusCount("w") - before;
    assert.ok(told >= 1 && told <= 2, `told ${told} times`);
  });

  it("a key frame is asked for again while a slot waits, and no longer once it started", async () => {
    await world.grant(publisher);
    await world.grant(viewer);
    for (let second = 0; second < 3; second += 1) await world.pass(1000);
    const asked = world.track("p", "v").keyFrameRequests;
    assert.ok(asked >= 2 && asked <= 3, `asked ${asked} times`);
    world.plane.emit({
      type: "slot-started",
      slot: world.slot("w", "sv").handle,
      track: world.track("p", "v").handle,
    });
    await world.pass(3000);
    assert.equal(world.track("p", "v").keyFrameRequests, asked);
  });

  it("the publisher leaves and returns: unbound, then bound to the new track", async () => {
    await world.grant(publisher);
    await world.grant(viewer);
    await world.grant({ sessionId: "p", revision: 2n, closed: true });
    assert.equal(world.slot("w", "sv").track, undefined);
    await world.grant({ ...publisher, sessionId: "p2" });
    await world.grant({ ...viewer, revision: 2n, slots: [videoSlot({ sessionId: "p2", streamId: 7 })] });
    assert.equal(world.slot("w", "sv").track, world.track("p2", "v").handle);
  });

  it("a track that is opened anew (other SSRCs) is bound again", async () => {
    await world.grant(publisher);
    await world.grant(viewer);
    const first = world.track("p", "v").handle;
    const anew = { ...videoTrack(7), encodings: [{ ssrc: 5, rtxSsrc: 6 }] };
    await world.grant({ ...publisher, revision: 2n, receives: [anew] });
    assert.notEqual(world.track("p", "v").handle, first);
    assert.equal(world.slot("w", "sv").track, world.track("p", "v").handle);
  });

  it("a slot switches between publishers without passing through nothing", async () => {
    await world.grant(publisher);
    await world.grant({ ...publisher, sessionId: "p2", receives: [videoTrack(8)] });
    await world.grant(viewer);
    await world.grant({ ...viewer, revision: 2n, slots: [videoSlot({ sessionId: "p2", streamId: 8 })] });
    const bound = world.slot("w", "sv");
    assert.equal(bound.track, world.track("p2", "v").handle);
    assert.equal(bound.binds, 2);
    await world.grant({ ...viewer, revision: 3n, slots: [videoSlot()] });
    assert.equal(bound.track, undefined);
    assert.equal(bound.binds, 3);
  });

  it("a codec the viewer lacks is told by number, and cured by a backup codec", async () => {
    await world.grant({ ...publisher, codecs: [av1, opus], receives: [videoTrack(7, { payloadTypes: [45] })] });
    await world.grant(viewer);
    assert.equal(world.status("w").slots[0]?.error, errorNumber("codec-not-accepted"));
    assert.equal(world.slot("w", "sv").track, undefined);
    const both = { codecs: [av1, vp8, opus], receives: [videoTrack(7, { payloadTypes: [45, 96] })] };
    await world.grant({ ...publisher, ...both, revision: 2n });
    await world.soon();
    assert.equal(world.status("w").slots[0]?.error, 0);
    assert.deepEqual(world.slot("w", "sv").payloadTypes, [{ from: 96, to: 96 }]);
  });

  it("the viewer's failure leaves the publisher alone, and nothing dangles", async () => {
    await world.grant(publisher);
    await world.grant(viewer);
    await world.connect("w");
    world.dtls("w", "alert");
    await world.grant({ ...publisher, revision: 2n, receives: [] });
    await world.grant({ ...publisher, revision: 3n });
    assert.equal(world.plane.staleCommands, 0);
    assert.equal(world.plane.tracks.size, 1);
  });
});
