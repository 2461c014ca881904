import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { makeOffer, newCredentials, newSsrcs } from "@parley/app";
import { subjects } from "@parley/foundation";
import {
  AudioLevelsSchema,
  GrantsSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  RoomEventDeliverySchema,
  Source,
  type RoomEventDelivery,
} from "@parley/protocol";
import { Room } from "@parley/sdk";
import { until } from "@parley/testing";
import { LocalServer } from "../local-server.ts";
import { FakeMediaNode } from "./fake-media-node.ts";
import { realClock } from "./real-clock.ts";

const fingerprint = Array.from({ length: 32 }, () => "0A").join(":");

/** Bob, who publishes sound and pictures over a connection that nobody holds: three seconds are enough. */
async function joinAsBob(server: LocalServer): Promise<void> {
  const offerSdp = makeOffer(newCredentials(), fingerprint, { camera: newSsrcs() });
  const sections = [Source.MICROPHONE, Source.CAMERA].map((source, mid) => ({
    mid: String(mid),
    use: { case: "publish" as const, value: { stream: "camera", source } },
  }));
  const method = {
    case: "join" as const,
    value: { name: "bob", sessions: [{ session: "pub", offerSdp, sections }] },
  };
  const command = create(RoomCommandSchema, {
    ...{ appId: "app", roomId: "room", connectionId: "bobs", requestId: 1n, userId: "bob", localIp: "127.0.0.1" },
    grants: create(GrantsSchema, { create: true, permissions: { publish: true, subscribe: true } }),
    request: { roomId: "room", method },
  });
  const subject = subjects.roomCommand("app", "room");
  const bytes = await server.bus.request(subject, toBinary(RoomCommandSchema, command), { timeoutMs: 2_000 });
  const { result } = fromBinary(RoomCommandReplySchema, bytes);
  assert.equal(result.case, "response", result.case === "error" ? result.value.message : "");
}

test("[SIG-6] who speaks is told to those who are there and to who comes later, as of what a gateway keeps the newest", async () => {
  await using server = await LocalServer.start();
  const node = new FakeMediaNode(server.bus, realClock);
  node.start();
  const ann = new Room();
  await ann.connect(server.url, server.token({ sub: "ann", room: "room" }));
  const deliveries: RoomEventDelivery[] = [];
  server.bus.subscribe(subjects.ownerEvent("gw"), ({ payload }) => {
    const delivery = fromBinary(RoomEventDeliverySchema, payload);
    if (delivery.event?.event.case === "speakersChanged") deliveries.push(delivery);
  });
  await joinAsBob(server);
  const publisher = await until(() => [...node.grants.values()].find(({ receives }) => receives.length > 0), {
    what: "the node has Bob's session",
    deadlineMs: 5_000,
  });
  const { sessionId } = publisher;
  const { nodeId, bootId: nodeBootId } = node;
  const rooms = [{ appId: "app", roomId: "room", tracks: [{ sessionId, mid: "0", level: 100 }] }];
  const spoke = new Promise((resolve) => void ann.once("activeSpeakersChanged", resolve));
  const levels = create(AudioLevelsSchema, { nodeId, nodeBootId, rooms });
  server.bus.publish(subjects.mediaLevels, toBinary(AudioLevelsSchema, levels));
  await spoke;
  assert.deepEqual(
    ann.activeSpeakers.map(({ name }) => name),
    ["bob"],
  );
  const cy = new Room();
  await cy.connect(server.url, server.token({ sub: "cy", room: "room" }));
  assert.deepEqual(
    cy.activeSpeakers.map(({ name }) => name),
    ["bob"],
    "with the snapshot",
  );
  assert.deepEqual(
    deliveries.map(({ lossy, newestOf }) => [lossy, newestOf]),
    deliveries.map(() => [true, "speakers room"]),
  );
  assert.ok(deliveries.length > 0);
  node.stop();
  await Promise.all([ann.disconnect(), cy.disconnect()]);
});
