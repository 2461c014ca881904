import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ClientFrameSchema } from "@parley/protocol";
import { fuzzBudget, fuzzSeed, mutateBytes, mutateText, SeededRandom } from "@parley/testing";
import { GatewayBench } from "./gateway-bench.ts";

test("[SIG-1] mutated frames over real sockets: each socket is answered or ended by number, the gateway goes on", async () => {
  await using bench = await GatewayBench.start();
  const other = await bench.connected({ sub: "other" });
  const random = new SeededRandom(fuzzSeed(20));
  const more = fuzzBudget(60);
  let refused = 0;
  for (let round = 0; more(round); round += 1) {
    const json = random.chance(0.5);
    const connect = create(ClientFrameSchema, { frame: { case: "connect", value: { token: bench.token() } } });
    const method = { case: "room" as const, value: { roomId: "r", method: { case: "join" as const, value: {} } } };
    const join = create(ClientFrameSchema, { frame: { case: "request", value: { id: 1n, method } } });
    const socket = bench.socket(json ? "parley.v1.json" : "parley.v1.proto");
    for (const frame of [connect, join, join]) {
      // The first frame is left alone in half of the rounds, so that the later ones are read.
      const whole = frame === connect && random.chance(0.5);
      if (json) {
        const text = toJsonString(ClientFrameSchema, frame);
        socket.raw(whole ? text : mutateText(text, random, ['"', "{", "}", "null"]));
      } else {
        const bytes = toBinary(ClientFrameSchema, frame);
        socket.raw(whole ? bytes : mutateBytes(bytes, random));
      }
    }
    // Something comes back in any case: an answer, or the end.
    await socket.anything();
    for (const { frame } of socket.frames) {
      if (frame.case !== "disconnect") continue;
      refused += 1;
      assert.ok((frame.value.error?.number ?? 0) > 0);
    }
    socket.terminate();
  }
  assert.ok(refused > 0);
  other.echo(1);
  await other.next("response");
});
