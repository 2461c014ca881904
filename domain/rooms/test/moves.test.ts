import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaveReason } from "@parley/protocol";
import { Owners } from "./owners.ts";
import { ordinary, RoomBench, type Method } from "./room-bench.ts";

/** A host in each of the rooms, and Alice in "room". */
function meeting(...rooms: readonly string[]): { bench: RoomBench; owners: Owners; alice: string } {
  const bench = new RoomBench();
  const owners = new Owners(bench);
  for (const roomId of ["room", ...rooms]) {
    bench.join("host", { roomId });
    bench.join("other", { roomId });
  }
  const { participantId } = bench.join("alice", { grants: { ...ordinary, roomId: "room" }, join: { name: "Alice" } });
  bench.publish("alice", "camera", undefined, { grants: ordinary });
  return { bench, owners, alice: participantId };
}

/** What a room's host has seen of Alice: "+" came, "-" left. */
function sightings(bench: RoomBench, roomId: string, alice: string): string[] {
  return bench.eventsOf("host").flatMap(({ roomId: from, event }) => {
    if (from !== roomId) return [];
    if (event.case === "participantJoined" && event.value.participant?.name === "Alice") return ["+"];
    if (event.case === "participantLeft" && event.value.participantId === alice) return [`- ${event.value.reason}`];
    return [];
  });
}

test("[SIG-6] a host moves people to another room and back; they keep name, role and connection", () => {
  const { bench, owners, alice } = meeting();
  owners.order([alice], "breakout");
  owners.deliver();
  const [moved] = bench.valuesOf("alice", "moved");
  assert.equal(moved?.toRoomId, "breakout");
  assert.equal(moved?.joined?.snapshot?.participants[0]?.name, "Alice");
  assert.equal(bench.valuesOf("host", "participantLeft").at(-1)?.reason, LeaveReason.MOVED);
  assert.ok(
    [...bench.grants.values()].every(({ closed }) => closed),
    "sessions are opened anew over there",
  );
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }, { roomId: "breakout" }).ok);
  assert.ok(!bench.command("alice", { case: "getSnapshot", value: {} }).ok);

  bench.join("host", { roomId: "breakout" });
  owners.order([moved?.joined?.participantId ?? ""], "room", { roomId: "breakout" });
  owners.deliver();
  assert.equal(bench.valuesOf("alice", "moved").at(-1)?.toRoomId, "room");
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }).ok);
});

test("[SIG-6] two hosts move one member to different rooms at once: the first one does, and the other room never sees her", () => {
  const { bench, owners, alice } = meeting("a", "b");
  const first = owners.order([alice], "a");
  const second = owners.order([alice], "b", { by: "other" });
  assert.equal(owners.requested.length, 1, "one at a time");
  owners.deliver();
  assert.deepEqual([owners.answers.get(first), owners.answers.get(second)], ["done", "participant-not-found"]);
  assert.deepEqual(
    [owners.where("room"), owners.where("a"), owners.where("b")],
    [
      ["host", "other"],
      ["alice", "host", "other"],
      ["host", "other"],
    ],
  );
  assert.deepEqual(sightings(bench, "b", ""), []);
});

test("[SIG-6] the second of two hosts has his way when the first one's move fails", () => {
  for (const answers of [true, false]) {
    const { bench, owners, alice } = meeting("a", "b");
    const { participantId } = bench.join("alice3", { roomId: "a", userId: "alice" });
    bench.command(
      "host",
      { case: "moderate", value: { command: { case: "remove", value: { participantId, ban: true } } } },
      { roomId: "a" },
    );
    const first = owners.order([alice], "a");
    const second = owners.order([alice], "b", { by: "other" });
    const transfer = owners.next();
    owners.answer(transfer, answers ? owners.take(transfer) : undefined);
    owners.deliver();
    assert.deepEqual([owners.answers.get(first), owners.answers.get(second)], [answers ? "banned" : "timeout", "done"]);
    assert.deepEqual(
      [owners.where("room"), owners.where("b")],
      [
        ["host", "other"],
        ["alice", "host", "other"],
      ],
    );
  }
});

test("a host's move that waits for another one is carried out once, and does not wait for ever", () => {
  const { bench, owners, alice } = meeting("a", "b");
  owners.order([alice], "a");
  const repeats = [
    owners.order([alice], "b", { by: "other", requestId: 900 }),
    owners.order([alice], "b", { by: "other", requestId: 900 }),
  ];
  assert.ok(repeats.length === 2 && !owners.answers.has(900));
  bench.advance(2_900);
  assert.ok(!owners.answers.has(900));
  bench.advance(200);
  assert.equal(owners.answers.get(900), "timeout");
  assert.equal(owners.requested.length, 1);
});

test("[SIG-6] who leaves, is lost or is removed while being moved is in no room, and the other one knows at once", () => {
  const goes: Readonly<Record<string, (bench: RoomBench, alice: string) => void>> = {
    left: (bench) => void bench.command("alice", { case: "leave", value: {} }),
    lost: (bench) => void bench.handle({ type: "connection-gone", appId: "app", connectionId: "alice" }),
    removed: (bench, participantId) =>
      void bench.command("other", {
        case: "moderate",
        value: { command: { case: "remove", value: { participantId } } },
      }),
  };
  for (const [name, go] of Object.entries(goes)) {
    const { bench, owners, alice } = meeting("a");
    owners.order([alice], "a");
    // Her way out comes before the other room hears of her, so that nothing of it tells that room.
    go(bench, alice);
    const transfer = owners.next();
    const reply = owners.take(transfer);
    assert.deepEqual(owners.where("a"), ["alice", "host", "other"]);
    owners.answer(transfer, reply);
    owners.settle();
    assert.deepEqual(
      [owners.where("room"), owners.where("a")],
      [
        ["host", "other"],
        ["host", "other"],
      ],
      name,
    );
  }
});

test("[SIG-6] an answer that comes too late: she stays where she is, and the other room lets her go at once", () => {
  const { owners, alice } = meeting("a");
  const order = owners.order([alice], "a");
  const transfer = owners.next();
  const reply = owners.take(transfer);
  owners.answer(transfer, undefined);
  owners.settle();
  assert.equal(owners.answers.get(order), "timeout");
  assert.deepEqual(
    [owners.where("room"), owners.where("a")],
    [
      ["alice", "host", "other"],
      ["host", "other"],
    ],
  );
  // What is repeated after that, or only comes then, changes nothing.
  owners.answer(transfer, reply);
  owners.take(transfer);
  assert.deepEqual(
    [owners.where("room"), owners.where("a")],
    [
      ["alice", "host", "other"],
      ["host", "other"],
    ],
  );
  const late = owners.order([alice], "a");
  const second = owners.next();
  owners.answer(second, undefined);
  owners.settle();
  assert.equal(owners.take(second).results[0]?.result.case, "error", "nobody waits for it any more");
  assert.equal(owners.answers.get(late), "timeout");
  assert.deepEqual(owners.where("a"), ["host", "other"]);
});

test("[SIG-6] moved on, or back, before the first room has let her go: that waits, and she is told in order", () => {
  for (const onTo of ["b", "room"]) {
    const { bench, owners, alice } = meeting("a", "b");
    owners.order([alice], "a");
    const away = owners.next();
    const taken = owners.take(away);
    const [there] = taken.results;
    assert.ok(there?.result.case === "joined");
    const on = owners.order([there.result.value.participantId], onTo, { roomId: "a" });
    assert.equal(owners.requested.length, 0, "she has not come yet");
    owners.answer(away, taken);
    assert.equal(owners.requested.length, 0);
    owners.deliver();
    assert.equal(owners.answers.get(on), "done");
    assert.deepEqual(owners.where("a"), ["host", "other"]);
    assert.deepEqual(owners.where(onTo), ["alice", "host", "other"]);
    const told = bench
      .eventsOf("alice")
      .flatMap(({ roomId, event }) => (event.case === "moved" ? [`${roomId} ${event.value.toRoomId}`] : []));
    assert.deepEqual(told, ["room a", `a ${onTo}`]);
  }
});

test("who was taken in can be moved on once her connection is announced there, if the word of the first room is lost", () => {
  const { bench, owners, alice } = meeting("a", "b");
  owners.order([alice], "a");
  const away = owners.next();
  const taken = owners.take(away);
  const [there] = taken.results;
  assert.ok(there?.result.case === "joined");
  owners.answer(away, taken);
  owners.settlements.length = 0;
  const on = owners.order([there.result.value.participantId], "b", { roomId: "a" });
  bench.advance(200, false);
  assert.ok(!owners.answers.has(on) && owners.requested.length === 0);
  bench.present("alice", "a");
  bench.advance(200);
  owners.deliver();
  assert.equal(owners.answers.get(on), "done");
  assert.deepEqual(owners.where("b"), ["alice", "host", "other"]);
});

test("[SIG-6] moved to a room that her connection has joined already: she stays there as she is, and leaves the other one", () => {
  const { bench, owners, alice } = meeting("a");
  const there = bench.join("alice", { roomId: "a", join: { name: "Alice" } });
  const streamId = bench.publish("alice", "camera", undefined, { roomId: "a" });
  const order = owners.order([alice], "a");
  owners.deliver();
  assert.equal(owners.answers.get(order), "done");
  assert.deepEqual(
    [owners.where("room"), owners.where("a")],
    [
      ["host", "other"],
      ["alice", "host", "other"],
    ],
  );
  const mine = bench.eventsOf("alice");
  assert.deepEqual(
    mine.flatMap(({ roomId, event }) => (event.case === "removed" ? [`${roomId} ${event.value.error?.name}`] : [])),
    ["room already-there"],
  );
  assert.ok(mine.every(({ event }) => event.case !== "moved"));
  assert.deepEqual(sightings(bench, "a", there.participantId), ["+"], "nobody there sees a change");
  const sent = [...bench.grants.values()]
    .filter(({ closed }) => !closed)
    .map(({ roomId, receives }) => `${roomId} ${receives[0]?.streamId}`);
  assert.deepEqual(sent, [`a ${streamId}`], "what she sends there goes on");
  assert.equal(sightings(bench, "room", alice).at(-1), `- ${LeaveReason.MOVED}`);
});

test("[SIG-6] two rooms send one member, who is in both, to each other: she loses no more than one of them", () => {
  for (const order of ["both asked first", "one after the other"]) {
    const { bench, owners, alice } = meeting("a");
    const there = bench.join("alice", { roomId: "a" });
    owners.order([alice], "a");
    owners.order([there.participantId], "room", { roomId: "a" });
    const [toA, toRoom] = [owners.next(), owners.next()];
    if (order === "both asked first") {
      const replies = [owners.take(toA), owners.take(toRoom)];
      owners.answer(toA, replies[0]);
      owners.answer(toRoom, replies[1]);
    } else {
      owners.answer(toA, owners.take(toA));
      owners.answer(toRoom, owners.take(toRoom));
    }
    owners.deliver();
    const places = [owners.where("room"), owners.where("a")].filter((members) => members.includes("alice")).length;
    assert.ok(places >= 1, order);
  }
});

test("whoever waits in the lobby of the room it is moved to is let in, and everybody there sees it", () => {
  const bench = new RoomBench();
  const owners = new Owners(bench);
  bench.join("host");
  const alice = bench.join("alice");
  bench.join("owner", { roomId: "breakout" });
  bench.command("owner", { case: "updateRoom", value: { lobbyEnabled: true } }, { roomId: "breakout" });
  const waiting = bench.join("alice", { roomId: "breakout", grants: ordinary });
  assert.equal(waiting.waiting, true);
  owners.order([alice.participantId], "breakout");
  owners.deliver();
  const [admitted] = bench.valuesOf("alice", "admitted");
  assert.deepEqual([admitted?.admitted, admitted?.joined?.participantId], [true, waiting.participantId]);
  const joined = bench.valuesOf("owner", "participantJoined").map(({ participant }) => participant?.participantId);
  assert.deepEqual(joined, [waiting.participantId]);
  assert.deepEqual(bench.valuesOf("owner", "lobbyChanged").at(-1)?.waiting, []);
  assert.deepEqual(owners.where("breakout", "owner"), ["alice", "owner"]);
});

test("a move is answered once the other room has answered; its repeat waits for the same answer", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice");
  const participantIds = [alice.participantId];
  const method: Method = {
    case: "moderate",
    value: { command: { case: "move", value: { participantIds, toRoomId: "x" } } },
  };
  for (let repeat = 0; repeat < 2; repeat += 1) {
    assert.throws(() => bench.command("host", method, { requestId: 9 }), /no reply/);
  }
  const requests = bench.outputs.filter(({ type }) => type === "transfer-request");
  assert.equal(requests.length, 1);
  const [request] = requests;
  assert.ok(request?.type === "transfer-request");
  const outputs = bench.handle({
    type: "transfer-answered",
    transferId: request.transfer.transferId,
    reply: undefined,
  });
  assert.equal(outputs.filter(({ type }) => type === "reply").length, 2);
  assert.ok(bench.command("alice", { case: "getSnapshot", value: {} }).ok, "nobody answered: everybody stays");
});
