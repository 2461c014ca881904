import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, ParleyError, Room, type RoomEvents } from "@parley/sdk";
import { LocalServer } from "../local-server.ts";

const limit = { timeout: 30_000 };

function once<Name extends keyof RoomEvents>(room: Room, name: Name): Promise<RoomEvents[Name]> {
  return new Promise((resolve) => void room.once(name, (...args) => resolve(args)));
}

async function enter(
  server: LocalServer,
  user: string,
  claims: Parameters<LocalServer["token"]>[0] = {},
): Promise<Room> {
  const room = new Room();
  await room.connect(server.url, server.token({ sub: user, room: "lesson", ...claims }), { name: user });
  return room;
}

test("[SIG-6] two people meet, see names and attributes, and talk by data", limit, async () => {
  await using server = await LocalServer.start();
  const ann = await enter(server, "ann");
  const arrived = once(ann, "participantConnected");
  const bob = await enter(server, "bob");
  const [seen] = await arrived;
  assert.deepEqual([seen.userId, seen.name, seen.role], ["bob", "bob", "speaker"]);
  assert.deepEqual(
    [...bob.remoteParticipants.values()].map(({ name }) => name),
    ["ann"],
  );
  assert.equal(bob.info?.participantCount, 2);

  const heard = once(bob, "dataReceived");
  await ann.localParticipant.sendData("hello", { topic: "chat" });
  const [message, from] = await heard;
  assert.deepEqual([new TextDecoder().decode(message.payload), message.topic, from?.name], ["hello", "chat", "ann"]);

  const updated = once(ann, "participantUpdated");
  await bob.localParticipant.setAttributes({ mood: "fine" });
  assert.deepEqual({ ...(await updated)[0].attributes }, { mood: "fine" });
  const raised = once(ann, "participantUpdated");
  await bob.localParticipant.setHandRaised(true);
  assert.equal((await raised)[0].handRaised, true);

  const left = once(ann, "participantDisconnected");
  await bob.disconnect();
  assert.equal((await left)[1], "left");
  await ann.disconnect();
});

test("[SIG-6] hosts: lobby, admission, remove, move and close; others may not", limit, async () => {
  await using server = await LocalServer.start();
  const host = await enter(server, "host", { roomAdmin: true });
  const bob = await enter(server, "bob");
  await assert.rejects(bob.host.closeRoom(), (error) => error instanceof ParleyError && !error.retryable);
  await host.host.updateRoom({ lobbyEnabled: true, attributes: { title: "Lesson 1" } });
  const knocks = once(host, "lobbyChanged");
  const carol = await enter(server, "carol");
  assert.equal(carol.isWaiting, true);
  const [waiting] = await knocks;
  assert.deepEqual(
    waiting.map(({ name }) => name),
    ["carol"],
  );
  const admitted = once(carol, "admitted");
  await host.host.admit(waiting.map(({ id }) => id));
  await admitted;
  assert.equal(carol.isWaiting, false);
  assert.equal(carol.info?.attributes["title"], "Lesson 1");
  assert.equal(carol.remoteParticipants.size, 2);

  const moved = once(bob, "moved");
  await assert.rejects(host.host.move([bob.localParticipant.id], "breakout"), /wrong-room/);
  await host.host.move([bob.localParticipant.id], "lesson/breakout");
  assert.deepEqual(await moved, ["lesson/breakout"]);
  assert.equal(bob.id, "lesson/breakout");
  assert.equal(bob.remoteParticipants.size, 0);

  const removed = once(carol, "disconnected");
  await host.host.remove(carol.localParticipant.id, { reason: "enough" });
  assert.equal((await removed)[0], "removed");
  const closed = once(host, "disconnected");
  await host.host.closeRoom("over");
  assert.equal((await closed)[0], "room-closed");
  await bob.disconnect();
});

test("[SIG-6] one client in two rooms over one connection", limit, async () => {
  await using server = await LocalServer.start();
  const client = new Client();
  const connected = client.connect(server.url, server.token());
  const [first, second] = await Promise.all([client.join("one"), client.join("two")]);
  await connected;
  assert.equal(client.userId, "ann");
  assert.deepEqual([...client.rooms.keys()].toSorted(), ["one", "two"]);
  assert.equal(server.gateway.socketCount, 1);
  await first.disconnect();
  assert.deepEqual([...client.rooms.keys()], ["two"]);
  assert.equal(second.state, "connected");
  await client.disconnect();
  assert.equal(second.state, "disconnected");
});

test("[SIG-4] the server is killed and started again: everybody is back by themselves", limit, async () => {
  await using server = await LocalServer.start();
  const ann = await enter(server, "ann");
  const bob = await enter(server, "bob");
  const back = [once(ann, "reconnected"), once(bob, "reconnected")];
  await server.down();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await server.up();
  const readyAtMs = performance.now();
  await Promise.all(back);
  assert.ok(performance.now() - readyAtMs < 5_000);
  while (ann.remoteParticipants.size < 1 || bob.remoteParticipants.size < 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const heard = once(bob, "dataReceived");
  await ann.localParticipant.sendData("still here");
  assert.equal(new TextDecoder().decode((await heard)[0].payload), "still here");
  await Promise.all([ann.disconnect(), bob.disconnect()]);
});

test("[SIG-5] a token for another room is refused by number", limit, async () => {
  await using server = await LocalServer.start();
  const room = new Room();
  const token = server.token({ room: "lesson" });
  await assert.rejects(room.connect(server.url, token, { room: "other" }), { code: "wrong-room", number: 2010 });
  assert.equal(room.state, "disconnected");
});
