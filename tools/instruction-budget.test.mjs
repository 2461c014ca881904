import assert from "node:assert/strict";
import { test } from "node:test";
import { ownInstructions, verdict } from "./instruction-budget.mjs";

const file = `version: 1
events: Ir
ob=/build/hot_loop
fl=/src/a.cc
fn=first
10 100
11 7
cob=/usr/lib/libcrypto.so
cfn=encrypt
calls=3 0
12 9000
13 1
fi=/include/b.h
20 5
fe=/src/a.cc

ob=/usr/lib/libcrypto.so
fn=encrypt
0 9000

ob=/build/hot_loop
fn=second
0x30 40
`;

test("only self cost of our own binary counts: not what its callees take, not the libraries", () => {
  assert.deepEqual(
    [...ownInstructions(file, "/build/hot_loop")],
    [
      ["first", 113],
      ["second", 40],
    ],
  );
});

test("more than the tolerance over its budget fails; less of it passes and asks to be recorded", () => {
  const budget = { tolerance: 0.03, compilers: { "g++ 12": { burst: 1000 } } };
  const of = (perPacket, compiler = "g++ 12") => verdict({ shape: "burst", perPacket }, budget, compiler);
  assert.equal(of(1029).ok, true);
  assert.equal(of(1031).ok, false);
  assert.match(of(900).line, /cheaper than its budget: record it/);
  assert.equal(verdict({ shape: "new", perPacket: 1 }, budget, "g++ 12").ok, false);
  // Another compiler: gross changes only.
  assert.equal(of(1100, "g++ 14").ok, true);
  assert.equal(of(1300, "g++ 14").ok, false);
});
