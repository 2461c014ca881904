import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { SeededRandom, fuzzBudget, fuzzSeed, mutateBytes } from "@parley/testing";
import { hasValidIntegrity, parseStun, writeStun } from "./stun-message.ts";

/** RFC 5769, with the password and texts it gives. */
const password = "VOkJxbRl1RmTxUk/WvJxBt";
const request = Buffer.from(
  "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36" +
    "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
  "hex",
);
const responseV4 = Buffer.from(
  "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c3" +
    "8c7489f92af9ba53f06be7d780280004c07d4c96",
  "hex",
);
const responseV6 = Buffer.from(
  "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9" +
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
  "hex",
);

describe("RFC 5769 vectors", () => {
  it("2.1: the request is read and its integrity holds", () => {
    const message = parseStun(request);
    assert.ok(message);
    assert.equal(message.class, "request");
    assert.equal(message.method, 1);
    assert.equal(message.username, "evtj:h6vY");
    assert.equal(message.priority, 0x6e0001ff);
    assert.equal(message.iceControlled, 0x932ff9b151263b36n);
    assert.equal(message.iceControlling, undefined);
    assert.deepEqual(message.unknownRequired, []);
    assert.ok(hasValidIntegrity(request, message, password));
    assert.equal(hasValidIntegrity(request, message, `${password}x`), false);
  });

  it("2.2: the IPv4 response", () => {
    const message = parseStun(responseV4);
    assert.ok(message);
    assert.equal(message.class, "success");
    assert.deepEqual(message.xorMappedAddress, { ip: new Uint8Array([192, 0, 2, 1]), port: 32853 });
    assert.ok(hasValidIntegrity(responseV4, message, password));
  });

  it("2.3: the IPv6 response", () => {
    const message = parseStun(responseV6);
    assert.ok(message);
    const ip = Buffer.from("20010db8123456780011223344556677", "hex");
    assert.deepEqual(message.xorMappedAddress, { ip: new Uint8Array(ip), port: 32853 });
    assert.ok(hasValidIntegrity(responseV6, message, password));
  });

  it("a flipped bit anywhere in what is signed is noticed", () => {
    for (let bit = 0; bit < (request.length - 8) * 8; bit += 1) {
      const broken = Uint8Array.from(request);
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      const message = parseStun(broken);
      assert.ok(message === undefined || !hasValidIntegrity(broken, message, password), `bit ${bit}`);
    }
  });
});

describe("STUN messages", () => {
  const transactionId = Uint8Array.from({ length: 12 }, (_, index) => index);

  it("are written as they are read", () => {
    const bytes = writeStun(
      {
        class: "request",
        transactionId,
        username: "local:remote",
        priority: 0x7effffff,
        useCandidate: true,
        iceControlling: 0xfedcba9876543210n,
        xorMappedAddress: { ip: new Uint8Array([10, 0, 0, 1]), port: 9 },
        software: "test",
      },
      password,
    );
    const message = parseStun(bytes);
    assert.ok(message && hasValidIntegrity(bytes, message, password));
    assert.equal(message.class, "request");
    assert.deepEqual([...message.transactionId], [...transactionId]);
    assert.equal(message.username, "local:remote");
    assert.equal(message.priority, 0x7effffff);
    assert.equal(message.useCandidate, true);
    assert.equal(message.iceControlling, 0xfedcba9876543210n);
    assert.deepEqual(message.xorMappedAddress, { ip: new Uint8Array([10, 0, 0, 1]), port: 9 });
  });

  it("errors carry their code, 420 the attributes it is about", () => {
    const error = { code: 420, reason: "Unknown Attribute" };
    const bytes = writeStun({ class: "error", transactionId, error, unknownAttributes: [0x7777] }, password);
    const message = parseStun(bytes);
    assert.equal(message?.class, "error");
    assert.equal(message.errorCode, 420);
  });

  it("unknown attributes are listed when they must be understood, else ignored", () => {
    const insert = (type: number): Uint8Array => {
      const bytes = Buffer.concat([Buffer.from(writeStun({ class: "request", transactionId }, undefined))]);
      const attribute = Buffer.alloc(8);
      attribute.writeUInt16BE(type, 0);
      attribute.writeUInt16BE(4, 2);
      // FINGERPRINT would be wrong after that: leave it out.
      const message = Buffer.concat([bytes.subarray(0, bytes.length - 8), attribute]);
      message.writeUInt16BE(message.length - 20, 2);
      return message;
    };
    assert.deepEqual(parseStun(insert(0x7777))?.unknownRequired, [0x7777]);
    assert.deepEqual(parseStun(insert(0xc057))?.unknownRequired, []);
  });

  it("what comes after MESSAGE-INTEGRITY is not believed", () => {
    const bytes = Buffer.from(writeStun({ class: "request", transactionId, username: "a:b" }, password));
    const useCandidate = Buffer.from([0x00, 0x25, 0x00, 0x00]);
    const forged = Buffer.concat([bytes.subarray(0, bytes.length - 8), useCandidate]);
    forged.writeUInt16BE(forged.length - 20, 2);
    const message = parseStun(forged);
    assert.ok(message && hasValidIntegrity(forged, message, password));
    assert.equal(message.useCandidate, false);
  });

  it("fuzz: any bytes are a message or none, and integrity holds only for what was signed", () => {
    const random = new SeededRandom(fuzzSeed(3));
    const goesOn = fuzzBudget(20_000);
    let read = 0;
    for (let round = 0; goesOn(round); round += 1) {
      const original = random.pick([request, responseV4, responseV6]);
      const bytes = mutateBytes(Uint8Array.from(original), random);
      const message = parseStun(bytes);
      if (message === undefined) continue;
      read += 1;
      const isSame = Buffer.compare(Buffer.from(bytes), original) === 0;
      if (!isSame && hasValidIntegrity(bytes, message, password)) {
        // Only what stands behind MESSAGE-INTEGRITY may differ then: FINGERPRINT may be missing.
        assert.ok(message.integrityOffset !== undefined);
        const signed = original.subarray(4, message.integrityOffset + 24);
        assert.deepEqual(
          [...bytes.subarray(4, message.integrityOffset + 24)],
          [...signed],
          `seed ${random.seed}, round ${round}`,
        );
      }
    }
    assert.ok(read > 0);
  });
});
