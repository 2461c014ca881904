import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { KeptRevocation } from "@parley/domain-access";
import { createRevocationFile } from "./revocation-file.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-revocations-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const fresh = () => join(folder, String((count += 1)), "data");

const one = (tokenId: string, keepUntilUnixMs = Infinity): KeptRevocation => ({
  revocation: { type: "token", appId: "a", tokenId },
  keepUntilUnixMs,
});

test("[SIG-5] what was acknowledged is there after a restart, without what has expired", async () => {
  const at = fresh();
  const first = createRevocationFile(at);
  assert.deepEqual(await first.load(0), []);
  await Promise.all([first.append(one("1")), first.append(one("2", 1_000)), first.append(one("3"))]);
  // No close: the process was killed.
  const second = createRevocationFile(at);
  assert.deepEqual(await second.load(1_000), [one("1"), one("3")]);
  await second.append(one("4"));
  await second.close();
  assert.equal(readFileSync(join(at, "revocations.jsonl"), "utf8").trim().split("\n").length, 3);
  await first.close();
});

test("[SIG-5] half a line at the end was never acknowledged and is dropped", async () => {
  const at = fresh();
  const first = createRevocationFile(at);
  await first.load(0);
  await first.append(one("1"));
  await first.close();
  appendFileSync(join(at, "revocations.jsonl"), '{"appId":"a","tok');
  const second = createRevocationFile(at);
  assert.deepEqual(await second.load(0), [one("1")]);
  await second.append(one("2"));
  await second.close();
  const third = createRevocationFile(at);
  assert.deepEqual(await third.load(0), [one("1"), one("2")]);
  await third.close();
});

test("[SIG-5] a file that cannot be read stops the start, and says where", async () => {
  const at = fresh();
  const first = createRevocationFile(at);
  await first.load(0);
  await first.close();
  writeFileSync(join(at, "revocations.jsonl"), '{"appId":"a","tokenId":"1"}\nrubbish\n');
  await assert.rejects(createRevocationFile(at).load(0), /revocations\.jsonl:2 /);
});
