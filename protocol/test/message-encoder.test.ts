import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  isFieldSet,
  ScalarType,
  toBinary,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import { SeededRandom, fuzzBudget, fuzzSeed } from "@parley/testing";
import * as protocol from "../src/index.ts";
import { encodeMessage, RoomCommandSchema, SlotSchema } from "../src/index.ts";

/** Below it lists and messages are empty. */
const maxDepth = 4;

const schemas = Object.values<unknown>(protocol).filter(isSchema);

function isSchema(value: unknown): value is DescMessage {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "message";
}

test("every message of this package is encoded as the library does it", () => {
  assert.ok(schemas.length > 50);
  const random = new SeededRandom(fuzzSeed(5));
  const goesOn = fuzzBudget(10);
  for (let round = 0; goesOn(round); round += 1) {
    for (const schema of schemas) {
      const message = randomMessage(schema, random, 0);
      assert.deepEqual(encodeMessage(schema, message), toBinary(schema, message), schema.typeName);
    }
  }
});

test("what a newer version has sent is passed on, at each depth", () => {
  const unknown = [{ no: 1_000, wireType: 0, data: Uint8Array.of(7) }];
  const message = create(RoomCommandSchema, { appId: "a", request: { roomId: "r" } });
  message.$unknown = unknown;
  if (message.request !== undefined) message.request.$unknown = unknown;
  assert.deepEqual(encodeMessage(RoomCommandSchema, message), toBinary(RoomCommandSchema, message));
});

test("a message that cannot be is refused, and leaves nothing behind", () => {
  const good = create(SlotSchema, { mid: "0", ssrc: 5 });
  const expected = toBinary(SlotSchema, good);
  assert.throws(() => encodeMessage(SlotSchema, create(SlotSchema, { mid: "0", ssrc: -1 })));
  assert.deepEqual(encodeMessage(SlotSchema, good), expected);
});

test("what was encoded stays as it is when the next one is", () => {
  const first = encodeMessage(SlotSchema, create(SlotSchema, { mid: "first" }));
  const copy = first.slice();
  encodeMessage(SlotSchema, create(SlotSchema, { mid: "other" }));
  assert.deepEqual(first, copy);
  const large = create(RoomCommandSchema, { appId: "ä".repeat(400_000) });
  assert.deepEqual(encodeMessage(RoomCommandSchema, large), toBinary(RoomCommandSchema, large));
});

function randomMessage(schema: DescMessage, random: SeededRandom, depth: number): Message {
  const message = create(schema) as Message & Record<string, unknown>;
  for (const field of schema.fields) {
    // Of a oneof the last one stays.
    if (random.below(3) === 0) continue;
    const value = randomValue(field, random, depth);
    if (value === undefined) continue;
    if (field.oneof === undefined) message[field.localName] = value;
    else message[field.oneof.localName] = { case: field.localName, value };
    assert.ok(field.oneof === undefined || isFieldSet(message, field));
  }
  return message;
}

function randomValue(field: DescField, random: SeededRandom, depth: number): unknown {
  const isDeep = depth >= maxDepth;
  switch (field.fieldKind) {
    case "message":
      return isDeep ? undefined : randomMessage(field.message, random, depth + 1);
    case "list": {
      const count = isDeep ? 0 : random.below(4);
      const { listKind } = field;
      return Array.from({ length: count }, () => {
        if (listKind === "message") return randomMessage(field.message, random, depth + 1);
        return listKind === "enum" ? random.below(4) : randomScalar(field.scalar, random);
      });
    }
    case "map":
      assert.equal(field.scalar, ScalarType.STRING);
      return Object.fromEntries(["", "ö", "key"].map((key) => [key, randomText(random)]));
    case "enum":
      return random.below(4);
    default:
      return randomScalar(field.scalar, random);
  }
}

function randomScalar(type: ScalarType, random: SeededRandom): unknown {
  switch (type) {
    case ScalarType.STRING:
      return randomText(random);
    case ScalarType.BYTES:
      return random.bytes(random.below(201));
    case ScalarType.BOOL:
      return random.below(2) === 1;
    case ScalarType.UINT32:
      return [0, 1, 127, 128, 2 ** 32 - 1][random.below(5)];
    case ScalarType.UINT64:
      return [0n, 1n, 1n << 40n, (1n << 64n) - 1n][random.below(4)];
    case ScalarType.FLOAT:
      return [0, -0, 0.5, -3.25][random.below(4)];
    default:
      throw new Error(`no value for ${ScalarType[type]}`);
  }
}

/** Short and long, with and without letters of more than a byte: the length is written before the text. */
function randomText(random: SeededRandom): string {
  const letter = ["a", "ü", "€", "𝄞"][random.below(4)] ?? "a";
  return letter.repeat([0, 1, 42, 63, 127, 128, 5_000][random.below(7)] ?? 0);
}
