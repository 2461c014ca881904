import assert from "node:assert/strict";
import { test } from "node:test";
import { errorTable } from "@parley/protocol";
import { fuzzBudget, fuzzSeed, mutateText, SeededRandom } from "@parley/testing";
import { parseClaims } from "./claims.ts";
import { mintToken } from "./mint-token.ts";
import { TokenVerifier } from "./token-verifier.ts";

const secret = "a secret of thirty-two characters";
const token = mintToken({ iss: "key", sub: "alice", exp: 2_000_000_000, room: "r", publish: true }, secret);

test("[SIG-5] a changed token is refused with a number of the table, whatever the change", () => {
  const random = new SeededRandom(fuzzSeed(5));
  const goesOn = fuzzBudget(5_000);
  const by = new TokenVerifier({ apps: [{ id: "app", key: "key", secret }] });
  for (let round = 0; goesOn(round); round += 1) {
    const mutant = mutateText(token, random, ["..", "eyJ", "e30", "=", token]);
    if (mutant === token) continue;
    const result = by.verify(mutant, 1_800_000_000_000);
    assert(!result.ok, `seed ${random.seed}, round ${round}: ${mutant} was accepted`);
    assert(Object.hasOwn(errorTable, result.error.name));
  }
});

test("[SIG-5] no payload makes reading the claims throw", () => {
  const random = new SeededRandom(fuzzSeed(6));
  const goesOn = fuzzBudget(5_000);
  const payload = JSON.stringify({
    iss: "key",
    sub: "alice",
    exp: 2_000_000_000,
    nbf: 1,
    sources: ["camera"],
    attributes: { a: "b" },
    role: "host",
    publish: true,
  });
  const words = ["null", "[]", "{}", "1e999", "-0", '"__proto__"', "true", '"\\ud800"', '"camera"', ":", ","];
  let parsed = 0;
  for (let round = 0; goesOn(round); round += 1) {
    let value: unknown;
    try {
      value = JSON.parse(mutateText(payload, random, words));
    } catch {
      continue;
    }
    parsed += 1;
    const result = parseClaims(value);
    assert(result.ok || result.error !== "");
  }
  assert(parsed > 0, "no mutant was JSON at all");
});
