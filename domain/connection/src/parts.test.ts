import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  RoomCommandReplySchema,
  RoomEventSchema,
  RoomResponseSchema,
  ServerFrameSchema,
  type RoomCommandReply,
} from "@parley/protocol";
import { Admission } from "./admission.ts";
import { CommandLane } from "./command-lane.ts";
import { readCommandReply, saysJoined } from "./command-reply.ts";
import { encodeEventFrame, encodeResponseFrame } from "./frames.ts";
import { defaultSocketLimits, SocketCounts } from "./limits.ts";
import { defaultConnectionPolicy } from "./policy.ts";
import { ResumeBuffer } from "./resume-buffer.ts";

const connect = create(ClientFrameSchema, { frame: { case: "connect", value: { token: "t" } } });
const ping = create(ClientFrameSchema, { frame: { case: "ping", value: {} } });

test("[SIG-1] admission: connect first, within the deadline; what is pipelined waits in order", () => {
  const admission = new Admission(defaultConnectionPolicy, 0);
  assert.deepEqual(admission.handle({ type: "tick" }, defaultConnectionPolicy.connectDeadlineMs - 1), []);
  assert.equal(admission.handle({ type: "frame", frame: connect }, 10)[0]?.type, "verify");
  assert.deepEqual(admission.handle({ type: "frame", frame: ping }, 10), []);
  assert.deepEqual(admission.handle({ type: "tick" }, 1e9), [], "the deadline is for the connect frame");
  assert.deepEqual(admission.handle({ type: "accepted" }, 20), [{ type: "frame", frame: ping }]);
  assert.deepEqual(admission.handle({ type: "frame", frame: ping }, 30), [{ type: "frame", frame: ping }]);
});

test("[SIG-1] admission refuses another first frame, silence, and a flood before the answer", () => {
  const refusal = (admission: Admission, last: () => ReturnType<Admission["handle"]>): string | undefined => {
    const [output] = last();
    void admission;
    return output?.type === "refuse" ? output.error.name : undefined;
  };
  const first = new Admission(defaultConnectionPolicy, 0);
  assert.equal(
    refusal(first, () => first.handle({ type: "frame", frame: ping }, 0)),
    "bad-frame",
  );
  const silent = new Admission(defaultConnectionPolicy, 0);
  const late = defaultConnectionPolicy.connectDeadlineMs;
  assert.equal(
    refusal(silent, () => silent.handle({ type: "tick" }, late)),
    "connect-timeout",
  );
  const flood = new Admission(defaultConnectionPolicy, 0);
  flood.handle({ type: "frame", frame: connect }, 0);
  for (let sent = 0; sent < defaultConnectionPolicy.maxPipelinedFrames; sent += 1) {
    assert.deepEqual(flood.handle({ type: "frame", frame: ping }, 0), []);
  }
  assert.equal(
    refusal(flood, () => flood.handle({ type: "frame", frame: ping }, 0)),
    "rate-limited",
  );
});

test("[SIG-4] the resume buffer is bounded in bytes and in frames", () => {
  const buffer = new ResumeBuffer(100, 1_000);
  for (let index = 0; index < 20; index += 1) buffer.push(new Uint8Array(30));
  assert.equal(buffer.length, 3);
  assert.equal(buffer.sizeBytes, 90);
  assert.deepEqual(
    buffer.since(17)?.map(({ seq }) => seq),
    [18, 19, 20],
  );
  assert.equal(buffer.since(16), undefined);
  assert.ok(buffer.acknowledge(19));
  assert.deepEqual(
    buffer.since(19)?.map(({ seq }) => seq),
    [20],
  );
  assert.deepEqual(buffer.since(20), []);
});

test("[SIG-2] a lane keeps the order of commands over failures and gives up at the deadline", () => {
  const lane = new CommandLane<string>({ attemptMs: 1_000, retryMs: 100 });
  assert.equal(lane.add(1, "join", 5_000, 0)[0]?.type, "send");
  assert.equal(lane.add(2, "bind", 5_000, 0)[0]?.type, "send");
  assert.deepEqual(lane.failed(1, "no-responders", 1), []);
  assert.deepEqual(lane.failed(2, "no-responders", 1), []);
  assert.deepEqual(lane.add(3, "leave", 900, 2), [], "waits behind the others");
  assert.equal(lane.nextAtMs, 101);
  const resent = lane.tick(101);
  assert.deepEqual(
    resent.map((output) => output.id),
    [1, 2, 3],
  );
  lane.answered(1);
  lane.answered(2);
  assert.deepEqual(lane.failed(3, "timeout", 901), [{ type: "give-up", id: 3, reason: "timeout" }]);
  assert.ok(lane.isEmpty);
});

test("[SIG-1] sockets are counted by address and user, and released once", () => {
  const counts = new SocketCounts({
    ...defaultSocketLimits,
    maxPerUser: 2,
    maxPerAddress: 4,
    maxUnauthenticatedPerAddress: 3,
  });
  const admit = (): Exclude<ReturnType<SocketCounts["admit"]>, { name: string }> => {
    const ticket = counts.admit("10.0.0.1");
    assert.ok(!("name" in ticket));
    return ticket;
  };
  const [a, b, c] = [admit(), admit(), admit()];
  assert.ok("name" in counts.admit("10.0.0.1"), "three strangers");
  assert.ok(!("name" in counts.admit("10.0.0.2")));
  assert.equal(a.authenticate("app", "ann"), undefined);
  assert.equal(b.authenticate("app", "ann"), undefined);
  assert.equal(c.authenticate("app", "ann")?.name, "too-many-connections");
  assert.equal(c.authenticate("app2", "ann"), undefined, "apps are told apart");
  const d = admit();
  assert.ok("name" in counts.admit("10.0.0.1"), "four of one address");
  a.release();
  a.release();
  assert.equal(counts.total, 4);
  assert.equal(d.authenticate("app", "ann"), undefined);
});

test("an answer's frame by hand equals the encoder's", () => {
  for (const length of [1, 40]) {
    const slots = Array.from({ length }, () => ({ mid: "1", streamId: 7 }));
    const response = create(RoomResponseSchema, { result: { case: "slots", value: { slots } } });
    for (const [seq, requestId] of [
      [1, 1],
      [128, 70_000],
    ] as const) {
      const value = { requestId: BigInt(requestId), result: { case: "room", value: response } } as const;
      const frame = create(ServerFrameSchema, { seq: BigInt(seq), frame: { case: "response", value } });
      const encoded = toBinary(RoomResponseSchema, response);
      assert.deepEqual(encodeResponseFrame(seq, requestId, encoded), toBinary(ServerFrameSchema, frame));
    }
  }
});

test("a reply is read as far as is needed, and what is none is told apart", () => {
  const joined = create(RoomResponseSchema, { result: { case: "joined", value: { participantId: "p" } } });
  const fence = { bucketId: "b", shard: "all", revision: 3n };
  const reply = (init: Exclude<MessageInitShape<typeof RoomCommandReplySchema>, RoomCommandReply>) =>
    readCommandReply(toBinary(RoomCommandReplySchema, create(RoomCommandReplySchema, init)));
  const answered = reply({ fence, result: { case: "response", value: joined } });
  assert.equal(answered?.fence?.revision, 3n);
  assert.ok(answered?.result.ok);
  assert.deepEqual(answered.result.response, toBinary(RoomResponseSchema, joined));
  assert.ok(saysJoined(answered.result.response));
  const done = create(RoomResponseSchema, { result: { case: "done", value: {} } });
  assert.ok(!saysJoined(toBinary(RoomResponseSchema, done)));
  assert.ok(!saysJoined(new Uint8Array()));
  const refused = reply({ result: { case: "error", value: { number: 5, name: "x" } } });
  assert.ok(refused?.result.ok === false && refused.result.error.number === 5);
  assert.equal(reply({ fence }), undefined);
  assert.equal(readCommandReply(Uint8Array.of(0x12, 0x7f)), undefined);
});

test("an event's frame by hand equals the encoder's", () => {
  const event = create(RoomEventSchema, {
    roomId: "r",
    revision: 3n,
    event: { case: "roomClosed", value: { reason: "x" } },
  });
  for (const seq of [0, 1, 127, 128, 70_000]) {
    const whole = toBinary(
      ServerFrameSchema,
      create(ServerFrameSchema, { seq: BigInt(seq), frame: { case: "event", value: event } }),
    );
    assert.deepEqual(encodeEventFrame(seq, toBinary(RoomEventSchema, event)), whole);
  }
});
