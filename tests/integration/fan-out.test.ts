import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { subjects } from "@parley/foundation";
import { RoomEventDeliverySchema, type RoomEventDelivery } from "@parley/protocol";
import { until } from "@parley/testing";
import { HostileClient as Client } from "../hostile-client.ts";
import { LocalServer } from "../local-server.ts";

const people = 6;

async function gather(server: LocalServer): Promise<Client[]> {
  const clients = await Promise.all(
    Array.from({ length: people }, (_, index) => Client.knock(server.url, server.token({ sub: `user${index}` }))),
  );
  for (const client of clients) assert.equal((await client.request("room", { case: "join", value: {} })).number, 0);
  return clients;
}

/** The revisions that a client was told, oldest first. */
const revisions = ({ events }: Client): bigint[] => events.map(({ revision }) => revision).filter((one) => one > 0n);

test("[SIG-2] an event for many connections of one gateway is one message, and each gets its events in order without a gap", async () => {
  await using server = await LocalServer.start();
  const clients = await gather(server);
  const together: RoomEventDelivery[] = [];
  let alone = 0;
  server.bus.subscribe("owner.*.event", ({ payload }) => {
    together.push(fromBinary(RoomEventDeliverySchema, payload));
  });
  server.bus.subscribe("conn.*.event", () => (alone += 1));
  const changes = 40;
  const [first] = clients;
  assert.ok(first);
  const before = revisions(first).at(-1) ?? 0n;
  for (let change = 0; change < changes; change += 1) {
    const client = clients[change % people];
    assert.equal(
      (await client?.request("room", { case: "updateSelf", value: { attributes: { turn: String(change) } } }))?.number,
      0,
    );
  }
  await until(() => clients.every((client) => (revisions(client).at(-1) ?? 0n) >= before + BigInt(changes)), {
    what: "everybody has every change",
    deadlineMs: 5_000,
  });
  const changed = together.filter(({ event }) => event?.event.case === "participantUpdated");
  assert.equal(changed.length, changes, "one message each");
  assert.ok(changed.every(({ connectionIds }) => connectionIds.length === people));
  assert.equal(alone, 0);
  for (const client of clients) {
    const told = revisions(client);
    for (const [index, revision] of told.entries())
      assert.equal(revision, (told[0] ?? 0n) + BigInt(index), "in order, none missing, none twice");
  }
  for (const client of clients) client.end();
});

test("[SIG-4] what a former owner of the rooms says is not passed on", async () => {
  await using server = await LocalServer.start();
  const [client, ...others] = await gather(server);
  assert.ok(client);
  let present: RoomEventDelivery | undefined;
  server.bus.subscribe("owner.*.event", ({ payload }) => {
    present ??= fromBinary(RoomEventDeliverySchema, payload);
  });
  await client.request("room", { case: "updateSelf", value: { handRaised: true } });
  const { fence } = await until(() => present, { what: "an event with a fence", deadlineMs: 5_000 });
  assert.ok(fence !== undefined && fence.revision > 0n && fence.bucketId !== "" && fence.shard === "all");

  const connectionId = client.connected?.connectionId ?? "";
  const say = (revision: bigint, reason: string): void => {
    const event = { roomId: "room", event: { case: "roomClosed" as const, value: { reason } } };
    const fields = { appId: "app", event, fence: { ...fence, revision } };
    const message = create(RoomEventDeliverySchema, { ...fields, connectionIds: [connectionId] });
    server.bus.publish(subjects.ownerEvent("gw"), toBinary(RoomEventDeliverySchema, message));
    const single = create(RoomEventDeliverySchema, fields);
    server.bus.publish(subjects.connectionEvent(connectionId), toBinary(RoomEventDeliverySchema, single));
  };
  say(fence.revision - 1n, "former");
  say(fence.revision, "present");
  const reasons = () => client.events.flatMap(({ event }) => (event.case === "roomClosed" ? [event.value.reason] : []));
  await until(() => reasons().length >= 2, { what: "the owner's words", deadlineMs: 5_000 });
  assert.deepEqual(reasons(), ["present", "present"]);
  for (const one of [client, ...others]) one.end();
});
