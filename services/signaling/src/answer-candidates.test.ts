import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MediaAddressSchema } from "@parley/protocol";
import { answerCandidates } from "./answer-candidates.ts";

const address = (ip: string) => create(MediaAddressSchema, { ip, udpPort: 1, tcpPort: 2 });
const ips = (addresses: string[], localIp: string, localIps: string[] = []) =>
  answerCandidates({ addresses: addresses.map(address), localIps }, localIp).map(({ ip }) => ip);

test("configured addresses are named; an open one is the address the client reached us at", () => {
  assert.deepEqual(ips(["198.51.100.1"], "127.0.0.1"), ["198.51.100.1"]);
  assert.deepEqual(ips([""], "127.0.0.1"), ["127.0.0.1"]);
  assert.deepEqual(ips([""], "::ffff:192.0.2.1"), ["192.0.2.1"]);
  assert.deepEqual(ips([""], "fe80::1%eth0"), ["fe80::1"]);
  assert.deepEqual(
    ips(["", "192.0.2.1", "198.51.100.1"], "192.0.2.1"),
    ["192.0.2.1", "198.51.100.1"],
    "none is named twice",
  );
  assert.deepEqual(ips([""], ""), []);
});

test("a client on this machine gets the machine's addresses behind loopback, for Firefox; others do not", () => {
  assert.deepEqual(ips([""], "127.0.0.1", ["192.0.2.1", "2001:db8::1"]), ["127.0.0.1", "192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(ips([""], "::1", ["192.0.2.1"]), ["::1", "192.0.2.1"]);
  assert.deepEqual(ips([""], "192.0.2.1", ["192.0.2.1", "10.0.0.1"]), ["192.0.2.1"]);
  assert.deepEqual(ips(["198.51.100.1"], "127.0.0.1", ["192.0.2.1"]), ["198.51.100.1"]);
});
