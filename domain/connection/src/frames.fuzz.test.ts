import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ClientFrameSchema, RoomEventDeliverySchema } from "@parley/protocol";
import { fuzzBudget, fuzzSeed, mutateBytes, mutateText, SeededRandom } from "@parley/testing";
import { Connection } from "./connection.ts";
import { readDelivery } from "./delivery.ts";
import { decodeClientFrame } from "./frames.ts";
import { defaultConnectionPolicy } from "./policy.ts";

const seeds = [
  create(ClientFrameSchema, {
    ack: 3n,
    frame: { case: "connect", value: { token: "a.b.c", resume: { resumeToken: "x", lastSeq: 5n } } },
  }),
  create(ClientFrameSchema, { frame: { case: "ping", value: { sentAtMs: 99n, rttMs: 3 } } }),
  create(ClientFrameSchema, { frame: { case: "refreshToken", value: { token: "t" } } }),
  create(ClientFrameSchema, {
    frame: {
      case: "request",
      value: {
        id: 1n,
        deadlineMs: 5_000,
        method: {
          case: "room",
          value: {
            roomId: ">",
            method: {
              case: "join",
              value: {
                name: "ann",
                attributes: { a: "b" },
                sessions: [
                  {
                    session: "sub",
                    offerSdp: "v=0",
                    sections: [{ mid: "0", use: { case: "receive", value: { pair: 1 } } }],
                  },
                ],
              },
            },
          },
        },
      },
    },
  }),
];

test("[SIG-1] client frames: no input breaks the reader or the connection", () => {
  const random = new SeededRandom(fuzzSeed(10));
  const more = fuzzBudget(4_000);
  const binary = seeds.map((seed) => toBinary(ClientFrameSchema, seed));
  const text = seeds.map((seed) => toJsonString(ClientFrameSchema, seed));
  let read = 0;
  for (let round = 0; more(round); round += 1) {
    const inputs = [
      decodeClientFrame(mutateBytes(random.pick(binary), random), "binary"),
      decodeClientFrame(
        mutateText(random.pick(text), random, ['"', "{", "}", "[", "1e999", "null", "\\u0000"]),
        "json",
      ),
    ];
    for (const input of inputs) {
      if (!input.ok) {
        assert.equal(input.error.name, "bad-frame");
        continue;
      }
      read += 1;
      const options = { connectionId: "c", resumeToken: "r", appId: "a", userId: "u", serverVersion: "" };
      const connection = new Connection({ ...options, policy: defaultConnectionPolicy }, 0);
      connection.handle({ type: "attached", resumeAfter: undefined, serverTimeUnixMs: 0, expiry: undefined }, 0);
      connection.handle({ type: "frame", frame: input.value, bufferedBytes: 0 }, 1);
    }
  }
  assert.ok(read > 0);
});

test("bus deliveries: no input breaks the reader", () => {
  const random = new SeededRandom(fuzzSeed(11));
  const more = fuzzBudget(4_000);
  const event = { roomId: "r", event: { case: "moved" as const, value: { toRoomId: "s" } } };
  const seed = toBinary(RoomEventDeliverySchema, create(RoomEventDeliverySchema, { appId: "app", event, lossy: true }));
  assert.deepEqual(readDelivery(seed)?.membership, { type: "moved", roomId: "r", toRoomId: "s" });
  for (let round = 0; more(round); round += 1) readDelivery(mutateBytes(seed, random));
});
