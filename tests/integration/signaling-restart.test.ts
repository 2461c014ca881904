import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createSignaling, type Signaling } from "@parley/service-signaling";
import { nullLogger, SeededRandom, until } from "@parley/testing";
import { nullMetrics, recordedOffer, startApparatus, type Apparatus } from "./api-apparatus.ts";

let apparatus: Apparatus;
let second: Signaling | undefined;
beforeEach(async () => {
  apparatus = await startApparatus();
  await until(() => apparatus.signaling.liveNodes > 0, { what: "signaling hears the node", deadlineMs: 5_000 });
});
afterEach(async () => {
  second?.close();
  second = undefined;
  await apparatus.close();
});

function anotherSignaling(): Signaling {
  const { bus, clock } = apparatus;
  const config = { ufragKey: new Uint8Array(16).fill(1) };
  const other = createSignaling({
    bus,
    clock,
    random: new SeededRandom(9),
    logger: nullLogger,
    metrics: nullMetrics,
    config,
  });
  other.start();
  return other;
}

const bound = () =>
  apparatus.node.sessions("room").flatMap(({ slots }) => slots.filter(({ binding }) => binding !== undefined));

async function publishAndWatch(): Promise<string> {
  await apparatus.postOffer("/v1/whip/room?stream=cam", recordedOffer("chromium-publish"));
  const viewer = await apparatus.postOffer("/v1/whep/room/cam", recordedOffer("chromium-watch"), { sub: "viewer" });
  await until(() => bound().length === 2, { what: "the viewer is bound", deadlineMs: 2_000 });
  return viewer.headers.get("location") ?? "";
}

test("[SIG-4] signaling is gone and another takes over: sessions and bindings as before, no session of a node is touched", async () => {
  const viewer = await publishAndWatch();
  const before = bound().map(({ ssrc, binding }) => ({ ssrc, binding }));
  apparatus.signaling.close();
  second = anotherSignaling();
  await until(() => second?.rooms === 1, { what: "the room is rebuilt", deadlineMs: 5_000 });
  assert.deepEqual(
    bound().map(({ ssrc, binding }) => ({ ssrc, binding })),
    before,
  );
  assert.equal([...apparatus.node.grants.values()].filter(({ closed }) => closed).length, 0);

  // An ICE restart, and the end of a session, are the new owner's.
  const patched = await apparatus.fetch(viewer, {
    method: "PATCH",
    token: apparatus.token({ sub: "viewer" }),
    headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
    body: "a=ice-ufrag:newfrag\r\na=ice-pwd:0123456789012345678901234\r\n",
  });
  assert.equal(patched.status, 200);
  assert.equal(
    (await apparatus.fetch(viewer, { method: "DELETE", token: apparatus.token({ sub: "viewer" }) })).status,
    200,
  );
  await until(() => bound().length === 0, { what: "the viewer's session is closed", deadlineMs: 2_000 });
});

test("[SIG-4] a process that stands by writes nothing while the owner lives, and takes over when it stops renewing", async () => {
  second = anotherSignaling();
  await publishAndWatch();
  assert.equal(second.rooms, 0);
  assert.equal(apparatus.signaling.rooms, 1);
  apparatus.signaling.close();
  await until(() => second?.rooms === 1, { what: "the other one has the room", deadlineMs: 5_000 });
  const startedAtMs = performance.now();
  const response = await apparatus.postOffer("/v1/whip/other?stream=cam", recordedOffer("chromium-publish"));
  assert.equal(response.status, 201);
  assert.ok(performance.now() - startedAtMs < 3_000);
});
