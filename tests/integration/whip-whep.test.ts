import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { errorNumber, SessionState } from "@parley/protocol";
import { until } from "@parley/testing";
import { recordedOffer, startApparatus, type Apparatus } from "./api-apparatus.ts";

const publishOffer = recordedOffer("chromium-publish");
const watchOffer = recordedOffer("chromium-watch");

let apparatus: Apparatus;
beforeEach(async () => {
  apparatus = await startApparatus();
  await until(() => apparatus.signaling.liveNodes > 0, { what: "signaling hears the node", deadlineMs: 5_000 });
});
afterEach(() => apparatus.close());

const slotsOf = (roomId: string) => apparatus.node.sessions(roomId).flatMap((grant) => grant.slots);

test("[MED-10] WHIP: an offer is answered with 201, its own URL, an ETag and an SDP that names our address", async () => {
  const response = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  const answer = await response.text();
  assert.equal(response.status, 201, answer);
  assert.match(response.headers.get("location") ?? "", /^\/v1\/sessions\/[\w-]{16}$/);
  assert.match(response.headers.get("etag") ?? "", /^"[\w-]+"$/);
  assert.equal(response.headers.get("content-type"), "application/sdp");
  assert.match(response.headers.get("access-control-expose-headers") ?? "", /Location/);
  assert.match(answer, /^v=0\r\n/);
  assert.match(answer, /a=candidate:.* 127\.0\.0\.1 7882 typ host/);
  const grant = await until(() => apparatus.node.sessions("room")[0], { what: "the node is told", deadlineMs: 2_000 });
  assert.ok(grant.receives.length > 0);
  assert.ok(grant.receives.every(({ streamId }) => streamId !== 0));
});

test("[MED-10] WHEP: a viewer that comes first is bound when the publisher comes, and again when it returns", async () => {
  const viewer = await apparatus.postOffer("/v1/whep/room/cam", watchOffer, { publish: false, sub: "viewer" });
  assert.equal(viewer.status, 201, await viewer.text());
  await until(() => slotsOf("room").length > 0, { what: "the viewer's slots", deadlineMs: 2_000 });
  assert.ok(slotsOf("room").every(({ binding }) => binding === undefined));

  const publisher = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  assert.equal(publisher.status, 201);
  const bound = () => slotsOf("room").filter(({ binding }) => binding !== undefined);
  await until(() => bound().length === 2, { what: "audio and video are bound", deadlineMs: 2_000 });
  const [first] = bound();

  const gone = await apparatus.fetch(publisher.headers.get("location") ?? "", {
    method: "DELETE",
    token: apparatus.token(),
  });
  assert.equal(gone.status, 200);
  await until(() => bound().length === 0, { what: "the slots are free", deadlineMs: 2_000 });

  assert.equal((await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer)).status, 201);
  await until(() => bound().length === 2, { what: "the slots are bound again", deadlineMs: 2_000 });
  assert.notEqual(bound()[0]?.binding?.publisherSessionId, first?.binding?.publisherSessionId);
});

test("[MED-10] a publisher that returns takes its name back; somebody else cannot while it is alive", async () => {
  const first = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  const [grant] = apparatus.node.sessions("room");
  assert.ok(grant);
  apparatus.node.report(grant, { tracks: grant.receives.map(({ mid }) => ({ mid, live: true })) });

  const other = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer, { sub: "somebody else" });
  assert.equal(other.status, 409);
  assert.equal(((await other.json()) as { number: number }).number, errorNumber("stream-in-use"));

  const again = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  assert.equal(again.status, 201);
  const url = first.headers.get("location") ?? "";
  const status = async () => (await apparatus.fetch(url, { method: "DELETE", token: apparatus.token() })).status;
  assert.equal(await status(), 410);
  await until(() => apparatus.node.sessions("room").length === 1, {
    what: "the old session is closed",
    deadlineMs: 2_000,
  });
});

test("[MED-10] a publisher whose consent runs out leaves, and its URL says so", async () => {
  const publisher = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  await apparatus.postOffer("/v1/whep/room/cam", watchOffer, { sub: "viewer" });
  await until(() => slotsOf("room").some(({ binding }) => binding !== undefined), { what: "bound", deadlineMs: 2_000 });
  const grant = apparatus.node.sessions("room").find(({ receives }) => receives.length > 0);
  assert.ok(grant);
  apparatus.node.report(grant, { state: SessionState.FAILED, reason: errorNumber("ice-failed") });
  await until(() => slotsOf("room").every(({ binding }) => binding === undefined), {
    what: "unbound",
    deadlineMs: 2_000,
  });
  const response = await apparatus.fetch(publisher.headers.get("location") ?? "", {
    method: "PATCH",
    token: apparatus.token(),
    headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
    body: "a=end-of-candidates\r\n",
  });
  assert.equal(response.status, 404);
});

test("[SIG-2] a join completes while the media node is paused, and the node learns of it afterwards", async () => {
  apparatus.node.pause();
  const startedAtMs = performance.now();
  const response = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  assert.equal(response.status, 201);
  assert.ok(performance.now() - startedAtMs < 300, "the answer did not wait for the node");
  assert.equal(apparatus.node.sessions("room").length, 0);
  setTimeout(() => apparatus.node.resume(), 300);
  await until(() => apparatus.node.sessions("room").length === 1, { what: "the grant is repeated", deadlineMs: 3_000 });
});

test("[MED-10] PATCH: trickle ICE and ICE restart under the rules of ETags", async () => {
  const response = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  const url = response.headers.get("location") ?? "";
  const etag = response.headers.get("etag") ?? "";
  const patch = (body: string, headers: Record<string, string>) =>
    apparatus.fetch(url, {
      method: "PATCH",
      token: apparatus.token(),
      body,
      headers: { "content-type": "application/trickle-ice-sdpfrag", ...headers },
    });
  const trickle = "a=end-of-candidates\r\n";
  assert.equal((await patch(trickle, {})).status, 428);
  assert.equal((await patch(trickle, { "if-match": '"other"' })).status, 412);
  assert.equal((await patch(trickle, { "if-match": etag })).status, 204);
  assert.equal((await patch("no fragment", { "if-match": etag })).status, 400);
  assert.equal((await patch(trickle, { "if-match": etag, "content-type": "application/sdp" })).status, 415);

  const before = apparatus.node.sessions("room")[0];
  const restart =
    "a=ice-ufrag:newfrag\r\na=ice-pwd:0123456789012345678901234\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
  const restarted = await patch(restart, { "if-match": "*" });
  const fragment = await restarted.text();
  assert.equal(restarted.status, 200, fragment);
  assert.notEqual(restarted.headers.get("etag"), etag);
  assert.match(fragment, /a=ice-ufrag:[\w+/]{23}\r\n/);
  await until(() => apparatus.node.sessions("room")[0]?.ice?.remoteUfrag === "newfrag", {
    what: "the node is told",
    deadlineMs: 2_000,
  });
  const after = apparatus.node.sessions("room")[0];
  assert.equal(after?.ice?.previousLocalUfrag, before?.ice?.localUfrag);
  assert.equal((await patch(trickle, { "if-match": etag })).status, 412, "the old generation is over");
  assert.equal((await patch(trickle, { "if-match": restarted.headers.get("etag") ?? "" })).status, 204);
});

test("refusals are numbered, and each has its status", async () => {
  const post = async (path: string, body: string, claims?: Parameters<Apparatus["postOffer"]>[2]) => {
    const response = await apparatus.postOffer(path, body, claims);
    const problem = (await response.json()) as { number: number };
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
    return [response.status, problem.number];
  };
  assert.deepEqual(await post("/v1/whip/room", "no sdp"), [400, errorNumber("sdp-malformed")]);
  assert.deepEqual(await post("/v1/whip/room", watchOffer), [422, errorNumber("sdp-unsupported")]);
  assert.deepEqual(await post("/v1/whep/room/cam", publishOffer), [422, errorNumber("sdp-unsupported")]);
  assert.deepEqual(await post("/v1/whip/room", publishOffer, { room: "other" }), [403, errorNumber("wrong-room")]);
  assert.deepEqual(await post("/v1/whip/room", publishOffer, { publish: false }), [403, errorNumber("grant-missing")]);
  assert.deepEqual(await post("/v1/whip/room", publishOffer, { sources: ["screen"] }), [
    403,
    errorNumber("grant-missing"),
  ]);
  assert.deepEqual(await post("/v1/whip/room", publishOffer, { exp: 1 }), [401, errorNumber("token-expired")]);
  assert.deepEqual(await post("/v1/whip/%01", publishOffer), [400, errorNumber("bad-id")]);
  assert.deepEqual(await post("/v1/whip/room", "v=0\r\n".repeat(40_000)), [413, errorNumber("payload-too-large")]);
  assert.deepEqual(await post("/v1/nothing", publishOffer), [404, errorNumber("not-found")]);

  const init = { method: "POST", body: publishOffer };
  const sdp = { "content-type": "application/sdp" };
  const tokenless = await apparatus.fetch("/v1/whip/room", { ...init, headers: sdp });
  assert.equal(tokenless.status, 401);
  assert.equal(tokenless.headers.get("www-authenticate"), "Bearer");
  const json = { "content-type": "application/json" };
  const typed = await apparatus.fetch("/v1/whip/room", { ...init, token: apparatus.token(), headers: json });
  assert.equal(typed.status, 415);
  assert.equal(typed.headers.get("accept-post"), "application/sdp");
  for (const method of ["GET", "PUT", "DELETE"]) {
    const response = await apparatus.fetch("/v1/whip/room", { method, token: apparatus.token() });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST, OPTIONS");
  }
});

test("ids such as > and a.* stay in their own room", async () => {
  for (const room of [">", "a.*", "*", "room.x"]) {
    const response = await apparatus.postOffer(`/v1/whip/${encodeURIComponent(room)}?stream=cam`, publishOffer);
    assert.equal(response.status, 201);
    await until(() => apparatus.node.sessions(room).length === 1, {
      what: `the session of ${room}`,
      deadlineMs: 2_000,
    });
  }
  assert.equal(apparatus.signaling.rooms, 4);
});

test("another user cannot touch a session, a preflight is answered", async () => {
  const response = await apparatus.postOffer("/v1/whip/room?stream=cam", publishOffer);
  const url = response.headers.get("location") ?? "";
  const stranger = await apparatus.fetch(url, { method: "DELETE", token: apparatus.token({ sub: "stranger" }) });
  assert.equal(stranger.status, 404);
  assert.equal((await apparatus.fetch(url, { method: "DELETE" })).status, 401);
  assert.equal(apparatus.api.sessions, 1);
  const preflight = await apparatus.fetch(url, { method: "OPTIONS", headers: { origin: "https://elsewhere.example" } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /If-Match/);
});

test("no node: not ready, and an offer is refused with a number that says later", async () => {
  const alone = await startApparatus({ withoutNode: true });
  try {
    assert.equal((await alone.fetch("/healthz/live", {})).status, 200);
    assert.equal((await alone.fetch("/healthz/ready", {})).status, 503);
    const response = await alone.postOffer("/v1/whip/room", publishOffer);
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers.get("retry-after")) > 0);
    assert.equal(((await response.json()) as { number: number }).number, errorNumber("no-media-node"));
    assert.equal(alone.signaling.rooms, 0, "a refused join leaves nothing behind");
  } finally {
    await alone.close();
  }
});

test("a development token opens a session", async () => {
  const response = await apparatus.fetch("/v1/dev/token?room=room&publish=true", {});
  assert.equal(response.status, 200);
  const { token } = (await response.json()) as { token: string };
  const posted = await apparatus.fetch("/v1/whip/room", {
    method: "POST",
    token,
    body: publishOffer,
    headers: { "content-type": "application/sdp" },
  });
  assert.equal(posted.status, 201);
});
