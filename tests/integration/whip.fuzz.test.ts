import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { fuzzBudget, fuzzSeed, mutateBytes, mutateText, SeededRandom, until } from "@parley/testing";
import { recordedOffer, startApparatus, type Apparatus } from "./api-apparatus.ts";

let apparatus: Apparatus;
before(async () => {
  apparatus = await startApparatus({ api: { joinsPerSecondPerAddress: 1_000_000, maxSessions: 1_000_000 } });
  await until(() => apparatus.signaling.liveNodes > 0, { what: "signaling hears the node", deadlineMs: 5_000 });
});
after(() => apparatus.close());

const offers = ["chromium-publish", "chromium-watch", "firefox-publish", "gstreamer-watch"].map(recordedOffer);
const fragment =
  "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
/** Pieces that parsers trip over. */
const words = [
  "a=mid:",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
  "\r\n",
  "a=rtpmap:",
  "a=ssrc:4294967296 x\r\n",
  "a=group:BUNDLE 0 0\r\n",
  "99999999999",
  "\u0000",
  "a=setup:holdconn\r\n",
];
const types = [
  "application/sdp",
  "application/trickle-ice-sdpfrag",
  "application/json",
  "text/plain",
  "application/sdp; charset=utf-16",
  "",
];

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

/** Raw requests: fetch would refuse half of what is sent here. */
function send(method: string, path: string, headers: Record<string, string>, body: Uint8Array): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(apparatus.api.url);
    const sent = request(
      { hostname, port, method, path, headers: { ...headers, "content-length": String(body.length) } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            type: response.headers["content-type"] ?? "",
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

test(
  "[MED-10] mutated bodies, headers and addresses: a numbered refusal or an answer, never a fault of ours",
  { timeout: 900_000 },
  async () => {
    const random = new SeededRandom(fuzzSeed(20));
    const goOn = fuzzBudget(400);
    const statuses = new Map<number, number>();
    let session = "/v1/sessions/none";
    for (let round = 0; goOn(round); round += 1) {
      const patch = random.chance(0.3);
      const text = patch ? fragment : random.pick(offers);
      const body = random.chance(0.15)
        ? mutateBytes(Buffer.from(text), random)
        : Buffer.from(random.chance(0.1) ? text : mutateText(text, random, words));
      const token = apparatus.token();
      const headers: Record<string, string> = {
        authorization: `Bearer ${random.chance(0.1) ? printable(mutateText(token, random)) : token}`,
        "content-type": random.chance(0.1)
          ? random.pick(types)
          : patch
            ? "application/trickle-ice-sdpfrag"
            : "application/sdp",
      };
      if (patch && random.chance(0.9))
        headers["if-match"] = random.chance(0.7) ? "*" : printable(mutateText('"etag"', random));
      const base = patch
        ? session
        : random.pick(["/v1/whip/room?stream=cam", "/v1/whep/room/cam", "/v1/whip/room?source=screen"]);
      const path = random.chance(0.1) ? `/${encodeURI(printable(mutateText(base.slice(1), random)))}` : base;
      const method = random.chance(0.05) ? random.pick(["GET", "PUT", "DELETE", "OPTIONS"]) : patch ? "PATCH" : "POST";
      let reply: Reply;
      try {
        reply = await send(method, path, headers, body);
      } catch (error) {
        // Node's own client refuses to send a header or path that is none.
        assert.match(String(error), /Invalid character|unescaped characters/);
        continue;
      }
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
      assert.ok(reply.status < 500, `round ${round}: ${reply.status} ${reply.body}`);
      if (reply.status >= 400 && method !== "HEAD") {
        assert.match(reply.type, /^application\/problem\+json/, `round ${round}: ${reply.status} ${reply.body}`);
        assert.ok((JSON.parse(reply.body) as { number: number }).number > 1000);
      }
      if (reply.status === 201)
        session = `/v1/sessions/${apparatus.node.sessions().length > 0 ? await aSession() : "none"}`;
    }
    assert.ok((statuses.get(201) ?? 0) > 0, "some mutants are good offers");
    assert.ok((statuses.get(400) ?? 0) > 0, "and some are not");
    // It lives, and serves others.
    assert.equal((await apparatus.postOffer("/v1/whip/other", recordedOffer("chromium-publish"))).status, 201);
  },
);

/** The URL of a fresh session, for PATCH. */
async function aSession(): Promise<string> {
  const response = await apparatus.postOffer("/v1/whip/patched?stream=cam", recordedOffer("chromium-publish"));
  return (response.headers.get("location") ?? "").split("/").at(-1) ?? "none";
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "");
}
