import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "@parley/testing";
import { ROOM, type Scene, openScene } from "../scene.ts";

let scene: Scene;

before(async () => {
  scene = await openScene();
});
after(() => scene.close());

test("[RFC 9725, 4.3.2] ICE restart by PATCH: media goes on with new credentials, for publisher and viewer", async () => {
  const publisher = await scene.publish("anna", "restarted");
  const viewer = await scene.watch("restarted");
  await scene.expectPerson(viewer, "anna");
  for (const [page, id] of [
    [scene.publishers, publisher.id],
    [scene.viewers, viewer],
  ] as const) {
    const before = await remoteUfrag(page, id);
    const restarted = await page.restartIce(id);
    assert.equal(restarted.status, 200, restarted.body);
    assert.ok(restarted.etag !== undefined, "a restart has a new entity tag");
    assert.notEqual(await remoteUfrag(page, id), before);
    await until(async () => ["connected", "completed"].includes((await page.state(id)).ice), {
      what: "ICE is connected again",
      deadlineMs: 5000,
    });
    // Beyond the time in which the old path could have carried on unnoticed.
    await scene.expectPerson(viewer, "anna");
    await restartIsUsed(page, id);
  }
});

async function remoteUfrag(page: Scene["viewers"], id: number): Promise<unknown> {
  return page.page.evaluate(
    `/a=ice-ufrag:(.*)/.exec(parleyTest.clients.get(${id}).peer.currentRemoteDescription.sdp)[1].trim()`,
  );
}

/** Media comes or goes over a pair that answers checks, which are made with the new credentials. */
async function restartIsUsed(page: Scene["viewers"], id: number): Promise<void> {
  const answersOfPair = async (): Promise<number> => {
    const stats = await page.stats(id);
    const transport = stats.find((entry) => entry["type"] === "transport");
    const pair = stats.find((entry) => entry["id"] === transport?.["selectedCandidatePairId"]);
    return Number(pair?.["responsesReceived"] ?? 0);
  };
  const before = await answersOfPair();
  await until(async () => (await answersOfPair()) > before, {
    what: "checks are answered after the restart",
    deadlineMs: 8000,
  });
}

test("[RFC 9725, 4.3] a trickle PATCH is taken, one with a stale entity tag is refused, DELETE ends the session", async () => {
  const token = await scene.server.token({ room: ROOM, subscribe: true });
  const offered = await scene.viewers.tryWatch({ endpoint: scene.server.whepUrl(ROOM, "nobody"), token });
  assert.ok(offered.id !== undefined);
  assert.ok(offered.etag !== undefined, "the answer has an entity tag");
  assert.match(offered.resource, new RegExp(`^${scene.server.url}/`));
  assert.match(offered.answer, /^a=ice-lite\r?$/m);
  const candidate = "a=candidate:1 1 udp 2130706431 192.0.2.9 9 typ host\r\n";
  const local = await scene.viewers.page.evaluate(`parleyTest.clients.get(${offered.id}).peer.localDescription.sdp`);
  const ufrag = /a=ice-ufrag:\S+/.exec(String(local))?.[0] ?? "";
  const password = /a=ice-pwd:\S+/.exec(String(local))?.[0] ?? "";
  const fragment = `${ufrag}\r\n${password}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n${candidate}a=end-of-candidates\r\n`;
  assert.equal((await scene.viewers.patch(offered.id, fragment, offered.etag)).status, 204);
  assert.equal((await scene.viewers.patch(offered.id, fragment, '"stale"')).status, 412);
  assert.ok((await scene.viewers.patch(offered.id, "no fragment at all", offered.etag)).status >= 400);
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await fetch(offered.resource, { method: "DELETE" })).status, 401);
  assert.equal((await fetch(offered.resource, { method: "DELETE", headers })).status, 200);
  assert.equal((await fetch(offered.resource, { method: "DELETE", headers })).status, 404);
});
