import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BusError, subjects } from "@parley/foundation";
import {
  RoomKind,
  RoomTransferReplySchema,
  RoomTransferSchema,
  RoomTransferSettledSchema,
  type RoomTransfer,
} from "@parley/protocol";
import { Client, ParleyError, Room, type JoinedRoom, type RoomEvents } from "@parley/sdk";
import { LocalServer } from "../local-server.ts";

const limit = { timeout: 30_000 };

function once<Name extends keyof RoomEvents>(room: JoinedRoom, name: Name): Promise<RoomEvents[Name]> {
  return new Promise((resolve) => void room.once(name, (...args) => resolve(args)));
}

async function enter(server: LocalServer, user: string, room: string, roomAdmin = false): Promise<Room> {
  const entered = new Room();
  await entered.connect(server.url, server.token({ sub: user, room, roomAdmin }), { name: user });
  return entered;
}

function namesIn(room: JoinedRoom): string[] {
  return [...room.remoteParticipants.values()].map(({ name }) => name).sort();
}

test(
  "[SIG-6] two hosts move one member to different rooms at once: the first one does, and nobody in the other room sees her",
  limit,
  async () => {
    await using server = await LocalServer.start();
    const [first, second] = [
      await enter(server, "first", "lesson", true),
      await enter(server, "second", "lesson", true),
    ];
    const [inA, inB] = [await enter(server, "inA", "lesson/a"), await enter(server, "inB", "lesson/b")];
    const bob = await enter(server, "bob", "lesson");
    const seen: string[] = [];
    for (const [name, room] of Object.entries({ inA, inB })) {
      room.on("participantConnected", (participant) => seen.push(`${name} ${participant.name}`));
    }
    const bobId = bob.localParticipant.id;
    const outcomes = await Promise.allSettled([
      first.host.move([bobId], "lesson/a"),
      second.host.move([bobId], "lesson/b"),
    ]);
    const codes = outcomes.map((one) =>
      one.status === "rejected" && one.reason instanceof ParleyError ? one.reason.code : "done",
    );
    assert.deepEqual(codes.toSorted(), ["done", "participant-not-found"]);
    // Whatever was on its way to them before is there after this.
    await Promise.all([inA, inB, bob].map((room) => room.localParticipant.setHandRaised(true)));
    const where = codes[0] === "done" ? "lesson/a" : "lesson/b";
    assert.equal(bob.id, where);
    assert.deepEqual(seen, [`${where === "lesson/a" ? "inA" : "inB"} bob`]);
    assert.deepEqual([namesIn(inA), namesIn(inB)], where === "lesson/a" ? [["bob"], []] : [[], ["bob"]]);
    await Promise.all([first, second, inA, inB, bob].map((room) => room.disconnect()));
  },
);

test(
  "[SIG-6] a room that has taken somebody in whom the other one has not let go lets him go at once",
  limit,
  async () => {
    await using server = await LocalServer.start();
    const ann = await enter(server, "ann", "lesson/a");
    const transfer = create(RoomTransferSchema, {
      ...{ appId: "app", fromRoomId: "lesson", toRoomId: "lesson/a", transferId: "t1" },
      participants: [{ connectionId: "bobs", userId: "bob", name: "bob", grants: {}, kind: RoomKind.CONFERENCE }],
    });
    const came = once(ann, "participantConnected");
    const bytes = await server.bus.request(
      subjects.roomTransfer("app", "lesson/a"),
      toBinary(RoomTransferSchema, transfer),
      {
        timeoutMs: 1_000,
      },
    );
    assert.equal(fromBinary(RoomTransferReplySchema, bytes).results[0]?.result.case, "joined");
    assert.equal((await came)[0].name, "bob");
    const left = once(ann, "participantDisconnected");
    const settled = create(RoomTransferSettledSchema, { appId: "app", toRoomId: "lesson/a", transferId: "t1" });
    server.bus.publish(subjects.roomTransferSettled("app", "lesson/a"), toBinary(RoomTransferSettledSchema, settled));
    await left;
    // Presence, which would have ended it too, takes three seconds.
    await ann.localParticipant.setHandRaised(true);
    assert.deepEqual(namesIn(ann), []);
    await ann.disconnect();
  },
);

test(
  "[SIG-6] who is moved is asked for again when the bus has lost the answer, and the other room hears whom the first one let go",
  limit,
  async () => {
    await using server = await LocalServer.start();
    const host = await enter(server, "host", "lesson", true);
    const bob = await enter(server, "bob", "lesson");
    const { bus } = server;
    const request = bus.request.bind(bus);
    const asked: RoomTransfer[] = [];
    bus.request = async (subject, payload, options) => {
      const answer = await request(subject, payload, options);
      if (subject !== subjects.roomTransfer("app", "lesson/a")) return answer;
      asked.push(fromBinary(RoomTransferSchema, payload));
      if (asked.length === 1) throw new BusError("timeout", subject);
      return answer;
    };
    const settled = Promise.withResolvers<string[]>();
    bus.subscribe(subjects.roomTransferSettled("app", "lesson/a"), ({ payload }) => {
      const { transferId, keptConnectionIds } = fromBinary(RoomTransferSettledSchema, payload);
      settled.resolve([transferId, ...keptConnectionIds]);
    });
    const moved = once(bob, "moved");
    await host.host.move([bob.localParticipant.id], "lesson/a");
    assert.deepEqual(await moved, ["lesson/a"]);
    const [first, second] = asked;
    assert.ok(asked.length === 2 && first !== undefined && second !== undefined);
    assert.equal(first.transferId, second.transferId);
    assert.deepEqual(await settled.promise, [first.transferId, ...first.participants.map((one) => one.connectionId)]);
    await Promise.all([host, bob].map((room) => room.disconnect()));
  },
);

test(
  "[SIG-6] a client in two rooms is moved from one into the other: it goes on there as it is, and the first room ends",
  limit,
  async () => {
    await using server = await LocalServer.start();
    const host = await enter(server, "host", "lesson", true);
    const ann = await enter(server, "ann", "lesson/a");
    const client = new Client();
    await client.connect(server.url, server.token({ sub: "bob" }));
    const inLesson = await client.join("lesson", { name: "bob" });
    const inA = await client.join("lesson/a", { name: "bob in a" });
    const participantId = inA.localParticipant.id;
    const seenInA: string[] = [];
    for (const name of ["participantConnected", "participantDisconnected", "participantUpdated"] as const) {
      ann.on(name, () => seenInA.push(name));
    }
    const left = once(host, "participantDisconnected");
    const over = once(inLesson, "disconnected");
    await host.host.move([inLesson.localParticipant.id], "lesson/a");
    const [reason, error] = await over;
    assert.deepEqual([reason, error?.code, error?.number], ["moved", "already-there", 4027]);
    assert.equal((await left)[1], "moved");
    assert.deepEqual([...client.rooms], [["lesson/a", inA]]);
    assert.equal(inA.state, "connected");
    assert.equal(inA.localParticipant.id, participantId);
    await inA.localParticipant.sendData("still here");
    assert.deepEqual(namesIn(ann), ["bob in a"]);
    assert.deepEqual(seenInA, []);
    await client.disconnect();
    await Promise.all([host, ann].map((room) => room.disconnect()));
  },
);
