import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  create,
  equals,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { ClientFrameSchema, ServerFrameSchema } from "../src/index.ts";
import { clientFrames, serverFrames } from "./golden-frames.ts";

interface Golden {
  readonly hex: string;
  readonly json: JsonValue;
}

const file = new URL("golden-frames.json", import.meta.url);

function golden<S extends DescMessage>(
  schema: S,
  frames: Readonly<Record<string, MessageInitShape<S>>>,
): Record<string, Golden> {
  return Object.fromEntries(
    Object.entries(frames).map(([name, init]) => {
      const message = create(schema, init);
      return [name, { hex: Buffer.from(toBinary(schema, message)).toString("hex"), json: toJson(schema, message) }];
    }),
  );
}

// To add a frame: write it into golden-frames.ts, run with UPDATE_GOLDEN=1, and see that only the new one was added.
if (process.env["UPDATE_GOLDEN"] === "1") {
  const fresh = { client: golden(ClientFrameSchema, clientFrames), server: golden(ServerFrameSchema, serverFrames) };
  writeFileSync(file, `${JSON.stringify(fresh, undefined, 2)}\n`);
}

const kept = JSON.parse(readFileSync(file, "utf8")) as {
  client: Record<string, Golden>;
  server: Record<string, Golden>;
};

function check<S extends DescMessage>(
  schema: S,
  frames: Readonly<Record<string, MessageInitShape<S>>>,
  expected: Readonly<Record<string, Golden>>,
): void {
  assert.deepEqual(Object.keys(expected), Object.keys(frames));
  for (const [name, { hex, json }] of Object.entries(expected)) {
    const init = frames[name];
    assert.ok(init);
    const message = create(schema, init);
    assert.equal(Buffer.from(toBinary(schema, message)).toString("hex"), hex, `${name} is written as ever`);
    assert.ok(equals(schema, fromBinary(schema, Buffer.from(hex, "hex")), message), `${name} is read as ever`);
    assert.deepEqual(toJson(schema, message), json, `${name} as JSON`);
    assert.ok(equals(schema, fromJson(schema, json), message), `${name} from JSON`);
  }
}

test("[SIG-1] the bytes of client frames do not change", () => check(ClientFrameSchema, clientFrames, kept.client));
test("[SIG-1] the bytes of server frames do not change", () => check(ServerFrameSchema, serverFrames, kept.server));
