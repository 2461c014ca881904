import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed, mutateText, SeededRandom } from "@parley/testing";
import { parseIp } from "./ip-address.ts";
import { isNetwork, TrustedProxies } from "./trusted-proxies.ts";

const ours = new TrustedProxies(["127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48"]);
const from = (peer: string, header: string) => ours.clientAddress(peer, { "x-forwarded-for": header });

test("[SIG-1] without a trusted proxy the header is worth nothing", () => {
  assert.equal(new TrustedProxies([]).clientAddress("127.0.0.1", { "x-forwarded-for": "192.0.2.1" }), "127.0.0.1");
  assert.equal(from("192.0.2.9", "192.0.2.1"), "192.0.2.9");
  assert.equal(from("127.0.0.1", ""), "127.0.0.1");
});

test("[SIG-1] the last address that is not a proxy of ours is the client's: what stands before it anybody may have written", () => {
  assert.equal(from("127.0.0.1", "192.0.2.1"), "192.0.2.1");
  assert.equal(from("::ffff:127.0.0.1", "198.51.100.1, 192.0.2.1"), "192.0.2.1");
  assert.equal(from("127.0.0.1", "198.51.100.1, 192.0.2.1, 10.1.9.9"), "192.0.2.1");
  assert.equal(from("127.0.0.1", "198.51.100.1, 192.0.2.1, 10.2.9.9"), "10.2.9.9");
  assert.equal(from("127.0.0.1", "10.1.0.1, 10.1.0.2"), "10.1.0.1", "a client within our own network");
  assert.equal(from("2001:db8:1::5", "2001:db8:2::7"), "2001:db8:2::7");
  assert.equal(from("127.0.0.1", "192.0.2.1:5060"), "192.0.2.1");
});

test("[SIG-1] a hop that hides ends the chain", () => {
  assert.equal(from("127.0.0.1", "192.0.2.1, unknown"), "127.0.0.1");
  assert.equal(from("127.0.0.1", "192.0.2.1, unknown, 10.1.0.1"), "10.1.0.1");
  assert.equal(from("127.0.0.1", "010.0.0.1"), "127.0.0.1");
});

test("[SIG-1] Forwarded (RFC 7239) goes before X-Forwarded-For", () => {
  const at = (forwarded: string | string[]) =>
    ours.clientAddress("127.0.0.1", { forwarded, "x-forwarded-for": "203.0.113.1" });
  assert.equal(at("for=192.0.2.43"), "192.0.2.43");
  assert.equal(at('for="[2001:db8:cafe::17]:4711"'), "2001:db8:cafe::17");
  assert.equal(at('by=10.1.0.1;For="192.0.2.43:80";proto=https, for=10.1.0.7'), "192.0.2.43");
  assert.equal(at(["for=198.51.100.1", "for=192.0.2.43"]), "192.0.2.43");
  assert.equal(at("for=_hidden"), "127.0.0.1");
  assert.equal(at("proto=https"), "127.0.0.1");
  assert.equal(at('for="a, for=192.0.2.1"'), "127.0.0.1");
});

test("networks are read strictly", () => {
  for (const good of ["192.0.2.1", "10.0.0.0/8", "0.0.0.0/0", "::/0", "fe80::/10", "::ffff:192.0.2.1", "1::"])
    assert.ok(isNetwork(good), good);
  for (const bad of ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8/8", "::/129", "1:2", "1::2::3", "10.0.0.0/x", "host"])
    assert.ok(!isNetwork(bad), bad);
  assert.deepEqual(parseIp("2001:db8::192.0.2.1")?.slice(-4), new Uint8Array([192, 0, 2, 1]));
});

test("no header makes it throw or believe what is no address", () => {
  const random = new SeededRandom(fuzzSeed(11));
  const goOn = fuzzBudget(3_000);
  const words = ["for=", '"', "[", "::", ",", "10.1.0.1", "unknown", "\\"];
  for (let round = 0; goOn(round); round += 1) {
    const forwarded = mutateText('for="[2001:db8::1]:1";by=10.1.0.1, for=192.0.2.1', random, words);
    const address = ours.clientAddress("127.0.0.1", { forwarded });
    assert.ok(parseIp(address) !== undefined, `${forwarded} gave ${address}`);
  }
});
