import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed, mutateText, SeededRandom } from "@parley/testing";
import { RevocationList, type KeptRevocation } from "./revocation-list.ts";
import { decodeRevocations, encodeRevocations, readRevocationLine, writeRevocationLine } from "./revocation-wire.ts";

const ofToken = (appId: string, tokenId: string, keepUntilUnixMs = Infinity): KeptRevocation => ({
  revocation: { type: "token", appId, tokenId },
  keepUntilUnixMs,
});
const ofUser = (subject: string, issuedUntilUnixMs: number): KeptRevocation => ({
  revocation: { type: "subject", appId: "a", subject, issuedUntilUnixMs },
  keepUntilUnixMs: Infinity,
});
const token = (appId: string, tokenId: string, issuedAtUnixMs = 0) => ({
  appId,
  tokenId,
  subject: "s",
  issuedAtUnixMs,
});

test("[SIG-5] a full list refuses instead of forgetting, and only for the app that filled it", () => {
  const list = new RevocationList(2);
  assert.ok(list.add(ofToken("a", "1"), 0));
  assert.ok(list.add(ofToken("a", "2", 1_000), 0));
  assert.equal(list.add(ofToken("a", "3"), 999), false);
  assert.ok(list.has(token("a", "1")) && list.has(token("a", "2")) && !list.has(token("a", "3")));
  assert.ok(list.add(ofToken("a", "1"), 999), "one that is there may come again");
  assert.ok(list.add(ofToken("b", "3"), 999));
  assert.ok(list.add(ofToken("a", "3"), 1_000), "an expired one makes room");
  assert.deepEqual(
    [list.has(token("a", "1")), list.has(token("a", "3")), list.has(token("b", "1"))],
    [true, true, false],
  );
});

test("[SIG-5] of two revocations of a user the wider one counts, in whatever order they come", () => {
  for (const order of [
    [1_000, 2_000],
    [2_000, 1_000],
  ]) {
    const list = new RevocationList();
    for (const issuedUntilUnixMs of order) list.add(ofUser("s", issuedUntilUnixMs), 0);
    assert.deepEqual([list.has(token("a", "x", 2_000)), list.has(token("a", "x", 2_001))], [true, false]);
    assert.equal(list.current(0).length, 1);
  }
});

test("[SIG-5] revocations come over the bus and out of a file as they went", () => {
  const all = [ofToken("a", "1", 5_000), ofToken("b", "ü"), ofUser("alice", 7_000)];
  assert.deepEqual(
    encodeRevocations(all).flatMap((message) => decodeRevocations(message)),
    all,
  );
  assert.deepEqual(
    all.map((one) => readRevocationLine(writeRevocationLine(one))),
    all,
  );
  const many = Array.from({ length: 4_001 }, (_, index) => ofToken("a", String(index)));
  assert.deepEqual(
    encodeRevocations(many).flatMap((message) => decodeRevocations(message)),
    many,
  );
});

test("[SIG-5] what is no revocation is refused without throwing", () => {
  assert.equal(readRevocationLine(""), undefined);
  assert.equal(readRevocationLine("{}"), undefined);
  assert.equal(decodeRevocations(new Uint8Array([0xff])), undefined);
  const random = new SeededRandom(fuzzSeed(12));
  const goOn = fuzzBudget(2_000);
  for (let round = 0; goOn(round); round += 1) {
    const line = mutateText(writeRevocationLine(ofUser("alice", 7_000)), random, [
      '"',
      "{",
      "null",
      "tokenId",
      "1e400",
    ]);
    const read = readRevocationLine(line);
    assert.ok(read === undefined || read.revocation.type.length > 0);
  }
});
