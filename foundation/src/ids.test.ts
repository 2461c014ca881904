import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed, mutateText, SeededRandom } from "@parley/testing";
import { fromBase64url, idOfSubjectToken, isValidName, randomId, subjectToken, toBase64url } from "./ids.ts";

test("base64url is that of RFC 4648, without padding", () => {
  // RFC 4648 section 10.
  for (const [plain, encoded] of [
    ["", ""],
    ["f", "Zg"],
    ["fo", "Zm8"],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg"],
    ["fooba", "Zm9vYmE"],
    ["foobar", "Zm9vYmFy"],
  ] as const) {
    assert.equal(toBase64url(new TextEncoder().encode(plain)), encoded);
    assert.deepEqual(fromBase64url(encoded), new TextEncoder().encode(plain));
  }
  assert.equal(toBase64url(new Uint8Array([0xfb, 0xff, 0xbf])), "-_-_");
});

test("base64url agrees with the platform's for random bytes, there and back", () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 500; round += 1) {
    const bytes = random.bytes(random.below(40));
    const text = toBase64url(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64url"));
    assert.deepEqual(fromBase64url(text), bytes);
  }
});

test("only the canonical form is read: two texts never mean the same bytes", () => {
  for (const wrong of ["A", "Zh", "Zm9=", "Zg==", "Zm+v", "Zm/v", "Zm9v ", "é", "Zm9vZ"]) {
    assert.equal(fromBase64url(wrong), undefined, wrong);
  }
});

test("[SIG-6] no id reaches another subject, and every id has its own token", () => {
  const ids = ["", "a", "b", ">", "*", "a.*", "a.b", "=", "é", "\u{1f600}", "a\u0000", " ", "YQ", "A".repeat(500)];
  const tokens = ids.map(subjectToken);
  assert.equal(new Set(tokens).size, ids.length);
  for (const [index, token] of tokens.entries()) {
    assert.match(token, /^(=|[A-Za-z0-9_-]+)$/);
    assert.deepEqual(idOfSubjectToken(token), { ok: true, value: ids[index] });
  }
});

test("what is no token is refused, never thrown at", () => {
  for (const wrong of ["", ">", "*", "a.b", "==", "_w", "Zh"]) {
    assert.deepEqual(idOfSubjectToken(wrong), { ok: false, error: "not-a-subject-token" }, wrong);
  }
  const random = new SeededRandom(fuzzSeed(3));
  const goesOn = fuzzBudget(5_000);
  for (let round = 0; goesOn(round); round += 1) {
    const mutant = mutateText(subjectToken("room-17"), random);
    const id = idOfSubjectToken(mutant);
    if (id.ok) assert.equal(subjectToken(id.value), mutant, `seed ${random.seed}, round ${round}`);
  }
});

test("names are well-formed, without control characters, and not longer than the limit in UTF-8", () => {
  for (const name of ["a", "Réunion 7", "a/b", "\u{1f600}", "x".repeat(128), "é".repeat(64)])
    assert(isValidName(name), name);
  for (const name of ["", "a\nb", "\u007f", "\u0085", "\ud800", "x".repeat(129), "é".repeat(65)]) {
    assert(!isValidName(name), JSON.stringify(name));
  }
});

test("random ids are subject tokens and differ", () => {
  const random = new SeededRandom(2);
  const ids = Array.from({ length: 1000 }, () => randomId(random));
  assert.equal(new Set(ids).size, 1000);
  assert(ids.every((id) => /^[A-Za-z0-9_-]{16}$/.test(id)));
});
