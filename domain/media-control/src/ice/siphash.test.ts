import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { SeededRandom } from "@parley/testing";
import { sipHash24 } from "./siphash.ts";
import { isGenuineUfrag, mintIceCredentials } from "./ufrag.ts";

const key = Uint8Array.from({ length: 16 }, (_, index) => index);

describe("SipHash-2-4", () => {
  // The first rows of the table of the reference implementation (vectors.h, vectors_sip64), key 00..0f, message 00 01 02 ...;
  // the row of 15 bytes is the worked example of the paper's appendix A.
  const vectors: readonly (readonly [number, string])[] = [
    [0, "310e0edd47db6f72"],
    [1, "fd67dc93c539f874"],
    [2, "5a4fa9d909806c0d"],
    [3, "2d7efbd796666785"],
    [4, "b7877127e09427cf"],
    [5, "8da699cd64557618"],
    [6, "cee3fe586e46c9cb"],
    [7, "37d1018bf50002ab"],
    [8, "6224939a79f5f593"],
    [15, "e545be4961ca29a1"],
  ];
  for (const [length, expected] of vectors) {
    it(`of ${length} bytes is as in the reference vectors`, () => {
      const message = Uint8Array.from({ length }, (_, index) => index);
      assert.equal(Buffer.from(sipHash24(key, message)).toString("hex"), expected);
    });
  }

  it("refuses a key of another length", () => {
    assert.throws(() => sipHash24(new Uint8Array(8), new Uint8Array(0)), RangeError);
  });
});

describe("ufrags", () => {
  it("carry a MAC of their nonce, little endian", () => {
    const { ufrag } = mintIceCredentials(key, new SeededRandom(1));
    const mac = sipHash24(key, Buffer.from(ufrag.slice(0, 12), "latin1"));
    assert.equal(ufrag.slice(12), Buffer.from(mac).toString("base64").slice(0, 11));
  });

  it("are 23 ice-chars with a password of 32, never the same twice", () => {
    const random = new SeededRandom(2);
    const seen = new Set<string>();
    for (let count = 0; count < 200; count += 1) {
      const { ufrag, password } = mintIceCredentials(key, random);
      assert.match(ufrag, /^[A-Za-z0-9+/]{23}$/);
      assert.match(password, /^[A-Za-z0-9+/]{32}$/);
      assert.ok(isGenuineUfrag(ufrag, key));
      seen.add(ufrag);
    }
    assert.equal(seen.size, 200);
  });

  it("are not genuine when one character, the key or the length differs", () => {
    const { ufrag } = mintIceCredentials(key, new SeededRandom(3));
    for (let at = 0; at < ufrag.length; at += 1) {
      const other = ufrag[at] === "A" ? "B" : "A";
      assert.equal(isGenuineUfrag(ufrag.slice(0, at) + other + ufrag.slice(at + 1), key), false, `character ${at}`);
    }
    assert.equal(isGenuineUfrag(ufrag, new Uint8Array(16)), false);
    assert.equal(isGenuineUfrag(ufrag.slice(0, 22), key), false);
    assert.equal(isGenuineUfrag(`${ufrag}A`, key), false);
    assert.equal(isGenuineUfrag("", key), false);
  });
});
