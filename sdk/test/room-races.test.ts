import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ErrorSchema, errorTable, ParticipantSchema, type ErrorName } from "@parley/protocol";
import { clientOn } from "../src/room/link-client.ts";
import { roomOn } from "../src/room/own-room.ts";
import { FakePeerConnection } from "./fake-media.ts";
import { FakeWorld } from "./fake-world.ts";
import { done, joined, joinsSent, outcome, requestsTo, tellMoved, turns } from "./joined-room.ts";

/** Joins, leaves, moves and breaks of the connection that meet each other. */

beforeEach(() => {
  FakePeerConnection.connectsByItself = true;
});

function wireErrorOf(name: ErrorName) {
  const { number, text } = errorTable[name];
  return create(ErrorSchema, { number, name, message: text });
}

test("connect, disconnect, connect at once: the first is cancelled however far it has come, the second holds", async () => {
  for (const pause of [0, 1, 2, 3, 4, 6, 9, 12, "the socket", "the answer"] as const) {
    const world = new FakeWorld();
    const room = roomOn(world.platform);
    const first = outcome(room.connect("ws://server", "token", { room: "r" }));
    if (pause === "the socket") await world.advance(40);
    else if (pause === "the answer") await world.advance(80);
    else await turns(pause);
    void room.disconnect();
    const second = outcome(room.connect("ws://server", "token", { room: "r" }));
    await world.advance(1_000);
    assert.equal(first.value(), "cancelled", `after ${pause}`);
    assert.equal(second.value(), "done", `after ${pause}`);
    assert.equal(room.state, "connected", `after ${pause}`);
    assert.equal(world.peers.filter(({ closed }) => !closed).length, 1, `after ${pause}`);
  }
});

test("left while the token was being fetched: nobody connects when it comes", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const token = Promise.withResolvers<string>();
  const connecting = outcome(room.connect("ws://server", () => token.promise, { room: "r" }));
  await world.advance(100);
  await room.disconnect();
  token.resolve("token");
  await world.advance(1_000);
  assert.equal(connecting.value(), "cancelled");
  assert.equal(world.server.sockets.length, 0);
  assert.equal(room.state, "disconnected");
});

test("a second connect while the first is under way is refused and disturbs nothing", async () => {
  const world = new FakeWorld();
  const room = roomOn(world.platform);
  const first = outcome(room.connect("ws://server", "token", { room: "r" }));
  await world.advance(20);
  const second = outcome(room.connect("ws://server", "token", { room: "r" }));
  await world.advance(1_000);
  assert.deepEqual([first.value(), second.value()], ["done", "bad-argument"]);
  assert.equal(room.state, "connected");
});

test("a socket that the browser refuses to make fails the connect with its reason", async () => {
  const world = new FakeWorld();
  const openSocket = (): never => {
    throw new DOMException("An insecure WebSocket from a secure page.", "SecurityError");
  };
  const room = roomOn({ ...world.platform, openSocket });
  const connecting = outcome(room.connect("ws://server", "token", { room: "r" }));
  await world.advance(100);
  assert.equal(connecting.value(), "connect-failed");
  assert.equal(room.state, "disconnected");
});

test("[SIG-5] a fresh token that comes when the connection is another one is not given to that", async () => {
  const world = new FakeWorld();
  world.server.tokenExpiresAtUnixMs = world.clock.unixMs() + 100_000;
  const fresh = Promise.withResolvers<string>();
  let asked = 0;
  const room = roomOn(world.platform);
  const connecting = room.connect("ws://server", () => ((asked += 1) === 1 ? "ann" : fresh.promise), { room: "r" });
  await world.advance(300);
  await connecting;
  await world.advance(85_000);
  assert.equal(asked, 2);
  void room.disconnect();
  const again = room.connect("ws://server", "ben", { room: "r" });
  await world.advance(300);
  await again;
  fresh.resolve("ann again");
  await world.advance(300);
  assert.deepEqual(world.server.tokens, ["ann", "ben"]);
});

test("a room left while the connection is broken is left when it is back", async () => {
  const world = new FakeWorld();
  const client = clientOn(world.platform);
  const connecting = client.connect("ws://server", "token");
  const joining = client.join("r");
  await world.advance(300);
  await connecting;
  const room = await joining;
  world.server.isReachable = false;
  world.server.cut();
  await world.advance(500);
  const leaving = outcome(room.disconnect());
  await world.advance(100);
  assert.equal(leaving.value(), "done", "nobody waits for that");
  await world.advance(3_000);
  world.server.isReachable = true;
  await world.advance(4_000);
  assert.equal(client.state, "connected");
  assert.deepEqual(requestsTo(world, "r").slice(-1), ["leave"]);
});

test("moved while we leave: the other room is left as well", async () => {
  const world = new FakeWorld();
  const client = clientOn(world.platform);
  const connecting = client.connect("ws://server", "token");
  const joining = client.join("r");
  await world.advance(300);
  await connecting;
  const leaving = outcome((await joining).disconnect());
  await world.advance(20);
  world.server.requestErrors.set("leave", "not-in-room");
  tellMoved(world, "r", "other");
  await world.advance(200);
  assert.equal(leaving.value(), "done");
  assert.deepEqual(requestsTo(world, "other"), ["leave"]);
});

test("[SIG-4] a join that failed is made again also when the link broke and was resumed meanwhile", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("join", "unavailable");
  world.server.restart();
  await joinsSent(world, 2);
  await world.advance(50);
  assert.equal(world.server.requestErrors.size, 0, "it was refused");
  world.server.isReachable = false;
  world.server.cut();
  await world.advance(1_000);
  world.server.isReachable = true;
  await world.advance(6_000);
  assert.equal(world.server.connections, 2, "it was resumed");
  assert.equal(room.state, "connected");
  assert.equal(world.server.joins, 2);
});

test("[SIG-4] a join whose answer came too late: we leave, and join again", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("join", "already-in-room");
  world.server.restart();
  await world.advance(4_000);
  assert.equal(room.state, "connected");
  assert.deepEqual(
    requestsTo(world, "r").filter((method) => method === "join" || method === "leave"),
    ["join", "join", "leave", "join"],
  );
});

test("[SIG-4] the news that the room has forgotten us is no news while we join again", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.requestErrors.set("updateSelf", "not-in-room");
  const asking = outcome(room.localParticipant.setHandRaised(true));
  await joinsSent(world, 2);
  world.server.event({ case: "removed", value: { error: wireErrorOf("not-in-room") } }, false);
  await world.advance(2_000);
  assert.equal(asking.value(), "connection-lost");
  assert.equal(room.state, "connected");
  assert.equal(world.server.joins, 2, "once is enough, and the server would refuse another");
});

test("[SIG-4] moved, and told so only when we join the old room again: we go on, and nobody of ours stays there", async () => {
  for (const refusal of [undefined, "wrong-room", "room-locked"] as const) {
    for (const when of ["making the offer", "asking"] as const) {
      const world = new FakeWorld();
      const room = await joined(world);
      world.server.requestErrors.set("updateSelf", "not-in-room");
      const asking = outcome(room.localParticipant.setHandRaised(true));
      if (when === "asking") await joinsSent(world, 2);
      else {
        while (world.server.requestErrors.size > 0) {
          await turns(3);
          world.clock.advance(10);
        }
        await turns(8);
      }
      if (refusal !== undefined) world.server.requestErrors.set("join", refusal);
      tellMoved(world, "r", "other");
      await world.advance(3_000);
      const what = `${when}, ${refusal}`;
      assert.equal(asking.value(), "connection-lost", what);
      assert.deepEqual([room.id, room.state, room.localParticipant.id], ["other", "connected", "me-other"], what);
      assert.ok(requestsTo(world, "other").includes("openSession"), what);
      if (when === "asking" && refusal === undefined) {
        assert.deepEqual(requestsTo(world, "r").slice(-2), ["join", "leave"], what);
      }
    }
  }
});

test("[SIG-4] what the old room said is not taken for the new one's word", async () => {
  const world = new FakeWorld();
  world.server.answers = false;
  const room = roomOn(world.platform);
  const connecting = outcome(room.connect("ws://server", "token", { room: "r" }));
  await world.advance(200);
  tellMoved(world, "r", "other");
  const participant = create(ParticipantSchema, { participantId: "bob" });
  const event = { case: "participantJoined", value: { participant } } as const;
  world.server.keep({ case: "event", value: { roomId: "r", revision: 2n, event } });
  const joinedHere = { participantId: "me-1", snapshot: { room: { roomId: "r" }, revision: 1n } };
  world.server.answers = true;
  world.server.keep({
    case: "response",
    value: {
      requestId: 1n,
      result: { case: "room", value: { result: { case: "joined", value: joinedHere } } },
    },
  });
  await world.advance(500);
  assert.equal(connecting.value(), "done");
  assert.equal(room.id, "other");
  assert.deepEqual([...room.remoteParticipants.keys()], []);
});

test("[SIG-4] a snapshot of the old room that comes after the move is none of the new one; its own gaps are closed", async () => {
  const world = new FakeWorld();
  const room = await joined(world);
  world.server.answers = false;
  world.server.revision += 1n;
  world.server.event({ case: "participantLeft", value: { participantId: "nobody" } });
  await world.advance(100);
  const { frames } = world.server.socket;
  const asked = frames.at(-1)?.frame;
  assert.ok(asked?.case === "request" && requestsTo(world, "r").at(-1) === "getSnapshot");
  tellMoved(world, "r", "other");
  world.server.addParticipant("bob");
  const snapshot = { case: "snapshot", value: world.server.snapshot() } as const;
  const requestId = asked.value.id;
  const event = { case: "participantLeft", value: { participantId: "nobody" } } as const;
  world.server.keep({ case: "event", value: { roomId: "other", revision: 3n, event } });
  await world.advance(100);
  assert.ok(requestsTo(world, "other").includes("getSnapshot"), "for the gap in the new room");
  world.server.keep({ case: "response", value: { requestId, result: { case: "room", value: { result: snapshot } } } });
  await world.advance(100);
  assert.deepEqual([...room.remoteParticipants.keys()], []);
  void room.disconnect();
  await world.advance(100);
});

test("[SIG-4] moved on before the first move is done, however far it has come: both directions are open in the last room", async () => {
  // Up to the offer, the request on its way, the answer being set.
  for (const pause of [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, "the answer"] as const) {
    const world = new FakeWorld();
    const room = await joined(world);
    await done(world, room.localParticipant.setMicrophoneEnabled(true));
    tellMoved(world, "r", "away");
    if (pause === "the answer") await world.advance(40);
    else await turns(pause);
    tellMoved(world, "away", "home");
    await world.advance(1_000);
    const open = world.peers.filter(({ closed }) => !closed);
    assert.deepEqual(
      open.map(({ connectionState }) => connectionState),
      ["connected", "connected"],
      `after ${pause} turns`,
    );
    const atHome = world.server.requests.flatMap(({ roomId, method }) =>
      roomId === "home" && method.case === "openSession" ? [(method.value as { session: string }).session] : [],
    );
    assert.deepEqual(atHome.toSorted(), ["pub", "sub"], `after ${pause} turns`);
    assert.equal(room.localParticipant.publications.size, 1, `after ${pause} turns`);
    await room.disconnect();
  }
});
