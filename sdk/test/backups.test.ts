import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { OpenSession, UpdateSession } from "@parley/protocol";
import { FakePeerConnection } from "./fake-media.ts";
import { FakeWorld } from "./fake-world.ts";
import { done, joined, outcome, tellMoved } from "./joined-room.ts";

/** Tracks that are sent once more in another codec, while somebody needs that. */

beforeEach(() => {
  FakePeerConnection.connectsByItself = true;
  FakePeerConnection.answersRefused = 0;
});

/** What the offers for "pub" publish, oldest first: mids, and of which one each is a backup. */
function published(world: FakeWorld): string[] {
  const offers = world.server.requests.flatMap(({ method }): (OpenSession | UpdateSession)[] => {
    if (method.case === "join") return method.value.sessions;
    return method.case === "openSession" || method.case === "updateSession" ? [method.value] : [];
  });
  return offers
    .filter(({ session }) => session === "pub")
    .map(({ sections }) =>
      sections
        .flatMap(({ mid, use }) =>
          use.case === "publish" ? [use.value.backupOf === "" ? mid : `${mid} of ${use.value.backupOf}`] : [],
        )
        .join(", "),
    );
}

function wants(world: FakeWorld, streamId: number, wanted = true, mid = "0", roomId = "r"): void {
  const value = { streamId, mid, codec: "VP8", wanted };
  world.server.keep({ case: "event", value: { roomId, event: { case: "codecWanted", value } } });
}

test("[MED-3] a backup is published while it is wanted", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  wants(world, 5000);
  await world.advance(300);
  wants(world, 5000);
  await world.advance(300);
  wants(world, 5000, false);
  await world.advance(300);
  assert.deepEqual(published(world), ["0", "0, 1 of 0", "0"]);
});

test("[MED-3] a backup that is asked for before the answer is taken, which says where the track is, is published all the same", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  // With the answer, or before it.
  world.server.done = ({ method }) => {
    if (method.case === "openSession" && method.value.session === "pub") wants(world, 5000);
  };
  const publishing = outcome(room.localParticipant.setCameraEnabled(true));
  await world.advance(1_000);
  assert.equal(publishing.value(), "done");
  assert.deepEqual(published(world), ["0", "0, 1 of 0"]);
});

test("[SIG-6] moved: a backup stays behind, and is published in the next room when it is asked for there", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  wants(world, 5000);
  await world.advance(300);
  world.server.forgetStreams();
  tellMoved(world, "r", "other");
  await world.advance(1_000);
  assert.deepEqual(published(world).slice(2), ["0"]);
  // Of the former room, late.
  wants(world, 5000, true, "0", "other");
  await world.advance(500);
  wants(world, 5001, true, "0", "other");
  await world.advance(500);
  assert.deepEqual(published(world).slice(2), ["0", "0, 1 of 0"]);
  const camera = room.localParticipant.getPublication("camera");
  assert.equal(camera?.streamId, 5001);
});

test("[SIG-4] a server that was started again: a backup stays while its stream does, and is asked for anew with another one", async () => {
  for (const forgets of [false, true]) {
    const world = new FakeWorld();
    const room = await joined(world);
    await done(world, room.localParticipant.setCameraEnabled(true));
    wants(world, 5000);
    await world.advance(300);
    if (forgets) world.server.forgetStreams();
    world.server.restart();
    await world.advance(3_000);
    assert.equal(room.state, "connected");
    assert.deepEqual(published(world).slice(2), forgets ? ["0, 1 of 0", "0"] : ["0, 1 of 0"]);
  }
});

test("a backup that is refused is not offered again and again, and what it was of goes on", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  world.server.requestErrors.set("updateSession", "permission-denied");
  wants(world, 5000);
  await world.advance(20_000);
  await done(world, room.localParticipant.setMicrophoneEnabled(true));
  assert.deepEqual(published(world), ["0", "0, 1 of 0", "0, 2"]);
  assert.equal(room.localParticipant.publications.size, 2);
  wants(world, 5000);
  await world.advance(300);
  assert.equal(published(world).at(-1), "0, 2, 3 of 0", "asked for once more");
});

test("a room that was left and is joined again begins without backups", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  await done(world, room.localParticipant.setCameraEnabled(true));
  wants(world, 5000);
  await world.advance(300);
  await done(world, room.disconnect());
  const connecting = room.connect("ws://server", "token", { room: "r" });
  await world.advance(300);
  await connecting;
  await done(world, room.localParticipant.setCameraEnabled(true));
  assert.deepEqual(published(world).slice(2), ["0"]);
});
