import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { test } from "node:test";
import { errorNumber } from "@parley/protocol";
import { until } from "@parley/testing";
import { recordedOffer, startApparatus, type Apparatus } from "./api-apparatus.ts";

async function withApparatus(
  overrides: Parameters<typeof startApparatus>[0],
  run: (apparatus: Apparatus) => Promise<void>,
) {
  const apparatus = await startApparatus(overrides);
  try {
    await until(() => apparatus.signaling.liveNodes > 0, { what: "signaling hears the node", deadlineMs: 5_000 });
    await run(apparatus);
  } finally {
    await apparatus.close();
  }
}

function makeCertificate(folder: string, name: string): void {
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-nodes", "-days", "1", "-subj", `/CN=${name}`, ...files], {
    stdio: "ignore",
  });
}

function servedName(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on("error", reject);
  });
}

test("HTTPS: a certificate that is replaced is served without a restart; one that is broken is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-certificate-"));
  try {
    makeCertificate(folder, "first.example");
    const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
    await withApparatus({ api: { tls } }, async ({ api }) => {
      assert.match(api.url, /^https:/);
      assert.equal(await servedName(api.url), "first.example");
      // A certificate without its key, as between the two writes of a renewal.
      const other = mkdtempSync(join(tmpdir(), "parley-certificate-"));
      makeCertificate(other, "second.example");
      cpSync(join(other, "cert.pem"), tls.certFile);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      assert.equal(await servedName(api.url), "first.example");
      cpSync(join(other, "key.pem"), tls.keyFile);
      rmSync(other, { recursive: true });
      await until(async () => (await servedName(api.url)) === "second.example", {
        what: "the new one",
        deadlineMs: 6_000,
      });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a query that makes no sense is refused with a number, before the offer is looked at", async () => {
  await withApparatus({}, async (apparatus) => {
    for (const query of ["source=nothing", "source=camera&source=screen", "stream=a&stream=b"]) {
      const refused = await apparatus.postOffer(`/v1/whip/room?${query}`, recordedOffer("chromium-publish"));
      assert.equal(refused.status, 400, query);
      assert.equal(((await refused.json()) as { number: number }).number, errorNumber("bad-request"));
    }
    const plain = await apparatus.postOffer("/v1/whip/room", recordedOffer("chromium-publish"));
    assert.equal(plain.status, 201, "a stream without a name, from a camera");
  });
});

test("too many joins from one address are refused with a number and a time to wait", async () => {
  await withApparatus({ api: { joinsPerSecondPerAddress: 1 } }, async (apparatus) => {
    const post = () => apparatus.postOffer("/v1/whip/room?stream=cam", recordedOffer("chromium-publish"));
    assert.deepEqual([(await post()).status, (await post()).status], [201, 201]);
    const refused = await post();
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    assert.equal(((await refused.json()) as { number: number }).number, errorNumber("rate-limited"));
  });
});

test("behind a trusted proxy joins are counted by the client's address", async () => {
  const api = { joinsPerSecondPerAddress: 1, trustedProxies: ["127.0.0.0/8", "::1"] };
  await withApparatus({ api }, async (apparatus) => {
    const post = async (client: string) => {
      const response = await apparatus.fetch("/v1/whip/room?stream=cam", {
        method: "POST",
        body: recordedOffer("chromium-publish"),
        token: apparatus.token(),
        headers: { "content-type": "application/sdp", forwarded: `for=${client}` },
      });
      return response.status;
    };
    assert.deepEqual([await post("192.0.2.1"), await post("192.0.2.1"), await post("192.0.2.1")], [201, 201, 429]);
    assert.equal(await post("192.0.2.2"), 201);
  });
});

test("draining: new sessions are refused, those there go on, readiness says so; closing ends them", async () => {
  await withApparatus({}, async (apparatus) => {
    const offer = recordedOffer("chromium-publish");
    const response = await apparatus.postOffer("/v1/whip/room?stream=cam", offer);
    apparatus.api.drain();
    assert.equal((await apparatus.fetch("/healthz/ready", {})).status, 503);
    assert.equal((await apparatus.fetch("/healthz/live", {})).status, 200);
    const refused = await apparatus.postOffer("/v1/whip/room?stream=other", offer);
    assert.equal(((await refused.json()) as { number: number }).number, errorNumber("draining"));
    const url = response.headers.get("location") ?? "";
    const headers = { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" };
    const init = { method: "PATCH", token: apparatus.token(), headers, body: "a=end-of-candidates\r\n" };
    assert.equal((await apparatus.fetch(url, init)).status, 204);
    await apparatus.api.close();
    await until(() => apparatus.node.sessions().length === 0, { what: "the session is closed", deadlineMs: 2_000 });
  });
});

test("only configured origins may read answers; ICE servers are told in Link headers", async () => {
  const iceServers = [
    { url: "stun:stun.example.net" },
    { url: "turn:turn.example.net", username: "u", credential: 'p"w' },
  ];
  const api = { corsOrigins: ["https://app.example"], iceServers, publicUrl: "https://rtc.example.org" };
  await withApparatus({ api }, async (apparatus) => {
    const allowed = async (origin: string) =>
      (await apparatus.fetch("/healthz/live", { headers: { origin } })).headers.get("access-control-allow-origin");
    assert.equal(await allowed("https://app.example"), "https://app.example");
    assert.equal(await allowed("https://evil.example"), null);
    const response = await apparatus.postOffer("/v1/whip/room?stream=cam", recordedOffer("chromium-publish"));
    assert.match(response.headers.get("location") ?? "", /^https:\/\/rtc\.example\.org\/v1\/sessions\//);
    const link = response.headers.get("link") ?? "";
    assert.match(link, /<stun:stun\.example\.net>; rel="ice-server"/);
    assert.match(
      link,
      /<turn:turn\.example\.net>; rel="ice-server"; username="u"; credential="p\\"w"; credential-type="password"/,
    );
  });
});
