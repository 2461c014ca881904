import assert from "node:assert/strict";
import { test } from "node:test";
import type { DtlsResult, DtlsTransport, SrtpProfile } from "@parley/domain-media-control";
import { generateCertificate, loadCertificate } from "./certificate.ts";
import { NativeDtls } from "./dtls-transport.ts";

const ALL: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_SHA1_80"];

function makePair(profiles: { client: readonly SrtpProfile[]; server: readonly SrtpProfile[] }) {
  const clientCertificate = generateCertificate();
  const serverCertificate = generateCertificate();
  const fingerprint = (value: Uint8Array) => [{ algorithm: "sha-256", value }];
  const client = new NativeDtls({
    certificate: clientCertificate,
    role: "client",
    remoteFingerprints: fingerprint(serverCertificate.fingerprint),
    srtpProfiles: profiles.client,
  });
  const server = new NativeDtls({
    certificate: serverCertificate,
    role: "server",
    remoteFingerprints: fingerprint(clientCertificate.fingerprint),
    srtpProfiles: profiles.server,
  });
  return { client, server };
}

/** Passes datagrams to and fro until nobody has anything to say. */
function shake(client: DtlsTransport, server: DtlsTransport): { client: DtlsResult; server: DtlsResult } {
  let ofClient = client.receive(new Uint8Array(0));
  let ofServer: DtlsResult | undefined;
  let toServer = ofClient.datagrams;
  for (let round = 0; round < 20 && toServer.length > 0; round++) {
    const toClient: Uint8Array[] = [];
    for (const datagram of toServer) {
      ofServer = server.receive(datagram);
      toClient.push(...ofServer.datagrams);
    }
    const next: Uint8Array[] = [];
    for (const datagram of toClient) {
      ofClient = client.receive(datagram);
      next.push(...ofClient.datagrams);
    }
    toServer = next;
  }
  assert.ok(ofServer !== undefined);
  return { client: ofClient, server: ofServer };
}

test("[MED-2] a handshake connects both sides with the server's best common profile", () => {
  const { client, server } = makePair({ client: ALL.toReversed(), server: ALL });
  const results = shake(client, server);
  assert.equal(results.client.state, "connected");
  assert.equal(results.server.state, "connected");
  assert.equal(results.server.srtpProfile, "AEAD_AES_128_GCM");
  assert.equal(results.client.srtpProfile, "AEAD_AES_128_GCM");
  const closed = client.close();
  assert.equal(closed.state, "closed");
  for (const datagram of closed.datagrams) assert.equal(server.receive(datagram).state, "closed");
});

test("no profile in common is an error of its own", () => {
  const { client, server } = makePair({ client: ["AES128_CM_SHA1_80"], server: ["AEAD_AES_128_GCM"] });
  const results = shake(client, server);
  // Ours as the client notices first, and its alert ends the server.
  assert.deepEqual([results.client.state, results.client.error], ["failed", "no-srtp-profile"]);
  assert.equal(results.server.state, "failed");
});

test("another certificate than the promised one is refused", () => {
  const { client } = makePair({ client: ALL, server: ALL });
  const certificate = generateCertificate();
  const impostor = new NativeDtls({
    certificate,
    role: "server",
    remoteFingerprints: [{ algorithm: "sha-256", value: certificate.fingerprint }],
    srtpProfiles: ALL,
  });
  const results = shake(client, impostor);
  assert.deepEqual([results.client.state, results.client.error], ["failed", "fingerprint-mismatch"]);
});

test("a lost flight is repeated by timeout(), garbage changes nothing, a closed transport stays closed", () => {
  const { client, server } = makePair({ client: ALL, server: ALL });
  const first = client.receive(new Uint8Array(0));
  assert.ok(first.timeoutMs !== undefined && first.timeoutMs > 0);
  assert.ok(first.datagrams.length > 0);
  assert.equal(client.receive(new Uint8Array(40).fill(22)).state, "handshaking");
  server.close();
  assert.equal(server.receive(first.datagrams[0] ?? new Uint8Array(1)).state, "closed");
  assert.equal(server.timeout().state, "closed");
});

test("certificates survive their PEM form; others are refused", () => {
  const made = generateCertificate();
  const loaded = loadCertificate(made.certificatePem, made.keyPem);
  assert.deepEqual(loaded.fingerprint, made.fingerprint);
  assert.throws(() => loadCertificate(made.certificatePem, generateCertificate().keyPem), /belong together/);
  assert.throws(() => loadCertificate("no", "thing"), /cannot be read/);
  assert.throws(
    () =>
      new NativeDtls({
        certificate: { fingerprint: new Uint8Array(32) },
        role: "server",
        remoteFingerprints: [],
        srtpProfiles: ALL,
      }),
    TypeError,
  );
});
