import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  closeCodes,
  errorTable,
  parleyError,
  RoomEventDeliverySchema,
  RoomResponseSchema,
  ServerFrameSchema,
  type ServerFrame,
} from "@parley/protocol";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectionInput, ConnectionOutput } from "./connection-io.ts";
import { Connection } from "./connection.ts";
import { toWireError } from "./frames.ts";
import { readDelivery } from "./delivery.ts";
import { defaultConnectionPolicy, type ConnectionPolicy } from "./policy.ts";

type FrameInit = MessageInitShape<typeof ClientFrameSchema>;

/** A connection with a client that has a broken or whole socket, on a clock of its own. */
class Bench {
  readonly connection: Connection;
  nowMs = 1_000;
  bufferedBytes = 0;
  received: ServerFrame[] = [];
  closes: { code: number; reason: string }[] = [];
  commands: Extract<ConnectionOutput, { type: "command" }>[] = [];
  droppedLossy = 0;
  ended = false;

  constructor(policy: Partial<ConnectionPolicy> = {}) {
    const options = { connectionId: "c1", resumeToken: "r1", appId: "app", userId: "ann", serverVersion: "test" };
    this.connection = new Connection({ ...options, policy: { ...defaultConnectionPolicy, ...policy } }, this.nowMs);
  }

  give(input: ConnectionInput): void {
    for (const output of this.connection.handle(input, this.nowMs)) {
      if (output.type === "send") this.received.push(fromBinary(ServerFrameSchema, output.bytes));
      else if (output.type === "close-socket") this.closes.push(output);
      else if (output.type === "command") this.commands.push(output);
      else if (output.type === "dropped-lossy") this.droppedLossy += 1;
      else if (output.type === "ended") this.ended = true;
    }
  }

  attach(resumeAfter?: number, expiresAtMs?: number): this {
    const expiry = expiresAtMs === undefined ? undefined : { atMs: expiresAtMs, atUnixMs: expiresAtMs };
    this.give({ type: "attached", resumeAfter, serverTimeUnixMs: 5, expiry });
    return this;
  }

  frame(frame: FrameInit): void {
    this.give({ type: "frame", frame: create(ClientFrameSchema, frame), bufferedBytes: this.bufferedBytes });
  }

  echo(id: number, ack = 0): void {
    this.frame({
      ack: BigInt(ack),
      frame: { case: "request", value: { id: BigInt(id), method: { case: "echo", value: {} } } },
    });
  }

  room(id: number, method: "join" | "leave" | "sendData", payloadBytes = 0): void {
    const value = method === "sendData" ? { payload: new Uint8Array(payloadBytes) } : {};
    const request = { roomId: "r", method: { case: method, value } };
    this.frame({
      frame: {
        case: "request",
        value: { id: BigInt(id), method: { case: "room", value: request } },
      },
    } as FrameInit);
  }

  event(event: Record<string, unknown>, lossy = false, newestOf = ""): void {
    const content = { roomId: "r", ...event };
    const message = create(RoomEventDeliverySchema, { appId: "app", event: content, lossy, newestOf } as never);
    const delivery = readDelivery(toBinary(RoomEventDeliverySchema, message));
    assert.ok(delivery);
    this.give({ type: "event", delivery, bufferedBytes: this.bufferedBytes });
  }

  data(text: string, lossy = false): void {
    this.event({ event: { case: "dataReceived", value: { payload: new TextEncoder().encode(text) } } }, lossy);
  }

  seqs(): number[] {
    return this.received.filter(({ seq }) => seq !== 0n).map(({ seq }) => Number(seq));
  }
}

const joinedResponse = create(RoomResponseSchema, { result: { case: "joined", value: {} } });
const joined = { ok: true, response: toBinary(RoomResponseSchema, joinedResponse) } as const;

test("[SIG-1] the first frame is connected, with the limits; answers and events are numbered from 1", () => {
  const bench = new Bench().attach();
  bench.echo(1);
  bench.data("hello");
  assert.deepEqual(
    bench.received.map(({ frame }) => frame.case),
    ["connected", "response", "event"],
  );
  assert.deepEqual(bench.seqs(), [1, 2]);
  const connected = bench.received[0]?.frame;
  assert.ok(connected?.case === "connected");
  assert.equal(connected.value.resumed, false);
  assert.equal(connected.value.limits?.maxFrameBytes, defaultConnectionPolicy.maxFrameBytes);
});

test("[SIG-4] a resumed client gets exactly what it missed, once, in order", () => {
  const bench = new Bench().attach();
  for (const text of ["a", "b", "c"]) bench.data(text);
  bench.give({ type: "socket-closed" });
  bench.data("d");
  bench.received = [];
  assert.ok(bench.connection.canResume(2));
  bench.attach(2);
  bench.data("e");
  assert.deepEqual(bench.seqs(), [3, 4, 5]);
  const [first] = bench.received;
  assert.ok(first?.frame.case === "connected" && first.frame.value.resumed);
});

test("[SIG-4] a request repeated after a resume is carried out once and answered once", () => {
  const bench = new Bench().attach();
  bench.room(1, "join");
  bench.give({ type: "socket-closed" });
  bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  bench.attach(0);
  bench.room(1, "join");
  assert.equal(bench.commands.length, 1);
  assert.equal(bench.received.filter(({ frame }) => frame.case === "response").length, 1);
  bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  assert.equal(bench.received.filter(({ frame }) => frame.case === "response").length, 1);
});

test("[SIG-4] what is acknowledged is freed; what overflows makes the connection not resumable", () => {
  const bench = new Bench({ resumeBufferFrames: 3 }).attach();
  for (const text of ["a", "b", "c", "d"]) bench.data(text);
  assert.equal(bench.connection.canResume(0), false);
  assert.equal(bench.connection.canResume(1), true);
  bench.echo(1, 4);
  assert.equal(bench.connection.canResume(3), false, "the client said it had 4");
  assert.equal(bench.connection.canResume(4), true);
  assert.equal(bench.connection.canResume(6), false, "never sent");
});

test("[SIG-4] the resume window ends", () => {
  const bench = new Bench().attach();
  bench.give({ type: "socket-closed" });
  bench.nowMs += defaultConnectionPolicy.resumeWindowMs - 1;
  bench.give({ type: "tick" });
  assert.equal(bench.ended, false);
  bench.nowMs += 1;
  bench.give({ type: "tick" });
  assert.ok(bench.ended);
  assert.equal(bench.connection.canResume(0), false);
});

test("[SIG-1] a silent client is disconnected and may resume; a ping keeps it", () => {
  const bench = new Bench().attach();
  const { heartbeatIntervalMs } = defaultConnectionPolicy;
  bench.nowMs += 2 * heartbeatIntervalMs - 1;
  bench.frame({ frame: { case: "ping", value: { sentAtMs: 7n } } });
  bench.nowMs += 2 * heartbeatIntervalMs - 1;
  bench.give({ type: "tick" });
  assert.equal(bench.closes.length, 0);
  bench.nowMs += 1;
  bench.give({ type: "tick" });
  assert.deepEqual(
    bench.closes.map(({ code }) => code),
    [closeCodes.resume.code],
  );
  assert.equal(bench.connection.state, "detached");
  const pong = bench.received.find(({ frame }) => frame.case === "pong");
  assert.ok(pong?.frame.case === "pong" && pong.frame.value.sentAtMs === 7n);
});

test("[SIG-1] a slow socket loses lossy events first, is then closed, and misses nothing that must arrive", () => {
  const bench = new Bench().attach();
  bench.data("one");
  bench.bufferedBytes = defaultConnectionPolicy.lossyWatermarkBytes + 1;
  bench.data("lossy", true);
  bench.data("two");
  assert.equal(bench.droppedLossy, 1);
  bench.bufferedBytes = defaultConnectionPolicy.closeWatermarkBytes + 1;
  bench.data("three");
  assert.deepEqual(bench.closes, [{ type: "close-socket", code: closeCodes.resume.code, reason: "connection-slow" }]);
  bench.received = [];
  bench.attach(1);
  assert.deepEqual(bench.seqs(), [2, 3]);
});

test("[SIG-4] of a state that is told in lossy events the newest one waits for who is slow or away, and comes when it can be taken", () => {
  const bench = new Bench().attach();
  bench.data("one");
  const state = (of: string, text: string): void => {
    bench.event({ event: { case: "dataReceived", value: { payload: new TextEncoder().encode(text) } } }, true, of);
  };
  const texts = (): string[] =>
    bench.received
      .splice(0)
      .flatMap(({ seq, frame }) =>
        frame.case === "event" && frame.value.event.case === "dataReceived"
          ? [`${seq} ${new TextDecoder().decode(frame.value.event.value.payload)}`]
          : [],
      );
  state("speakers r", "a");
  assert.deepEqual(texts(), ["1 one", "0 a"]);
  bench.bufferedBytes = defaultConnectionPolicy.lossyWatermarkBytes + 1;
  for (const text of ["b", "c"]) state("speakers r", text);
  state("speakers s", "d");
  bench.echo(1);
  assert.deepEqual(texts(), []);
  bench.bufferedBytes = 0;
  bench.echo(2);
  assert.deepEqual(texts(), ["0 c", "0 d"]);
  bench.echo(3);
  assert.deepEqual(texts(), [], "once");

  bench.give({ type: "socket-closed" });
  for (const text of ["e", "f"]) state("speakers r", text);
  bench.data("two");
  bench.data("lossy", true);
  bench.attach(1);
  assert.deepEqual(texts(), ["5 two", "0 f"], "after what must arrive");
  assert.equal(bench.droppedLossy, 0);

  bench.give({ type: "socket-closed" });
  for (let room = 0; room < 1_000; room += 1) state(`speakers ${room}`, `${room}`);
  bench.attach(5);
  assert.deepEqual([texts().at(0), texts().length], ["0 936", 0], "of as many rooms as one may be in");
});

test("[SIG-1] who pings without reading the answers is closed, and one that is given up ends", () => {
  const bench = new Bench().attach();
  bench.bufferedBytes = defaultConnectionPolicy.closeWatermarkBytes + 1;
  const before = bench.received.length;
  bench.frame({ frame: { case: "ping", value: { sentAtMs: 1n } } });
  assert.equal(bench.received.length, before);
  assert.equal(bench.closes[0]?.reason, "connection-slow");
  bench.give({ type: "given-up" });
  assert.ok(bench.ended);
  const attached = new Bench().attach();
  attached.give({ type: "given-up" });
  assert.ok(!attached.ended, "a connection with a socket is kept");
  attached.give({ type: "flooded" });
  assert.equal(attached.closes[0]?.code, closeCodes.later.code);
});

test("[SIG-5] an expired token ends the socket, a fresh one in time keeps it", () => {
  const bench = new Bench().attach(undefined, 10_000);
  bench.give({ type: "token-refreshed", expiry: { atMs: 20_000, atUnixMs: 20_000 } });
  bench.nowMs = 19_999;
  bench.frame({});
  bench.give({ type: "tick" });
  assert.equal(bench.closes.length, 0);
  bench.nowMs = 20_000;
  bench.give({ type: "tick" });
  assert.deepEqual(
    bench.closes.map(({ code }) => code),
    [closeCodes["new-token"].code],
  );
  const last = bench.received.at(-1);
  assert.ok(last?.frame.case === "disconnect");
  assert.equal(last.frame.value.error?.number, errorTable["token-expired"].number);
  assert.equal(last.frame.value.reconnect, false);
});

test("[SIG-5] a revoked token ends the connection for good", () => {
  const bench = new Bench().attach();
  bench.give({ type: "revoked", error: parleyError("token-revoked") });
  assert.ok(bench.ended);
  assert.deepEqual(
    bench.closes.map(({ code }) => code),
    [closeCodes.ended.code],
  );
});

test("[SIG-1] draining sends the client away with a pause, and keeps the connection for a resume", () => {
  const bench = new Bench().attach();
  bench.give({ type: "drain", retryAfterMs: 700 });
  const last = bench.received.at(-1);
  assert.ok(last?.frame.case === "disconnect");
  assert.deepEqual([last.frame.value.reconnect, last.frame.value.retryAfterMs], [true, 700]);
  assert.equal(bench.connection.state, "detached");
});

test("[SIG-1] too many requests are refused by number; a client that does not listen is sent away", () => {
  const bench = new Bench({ requestBurst: 5, requestsPerSecond: 1, maxRefusedPerSecond: 10 }).attach();
  for (let id = 1; id <= 6; id += 1) bench.echo(id);
  const last = bench.received.at(-1)?.frame;
  assert.ok(last?.case === "response" && last.value.result.case === "error");
  assert.equal(last.value.result.value.number, errorTable["rate-limited"].number);
  assert.ok(last.value.result.value.retryAfterMs > 0);
  for (let id = 7; id <= 20; id += 1) bench.echo(id);
  assert.deepEqual(
    bench.closes.map(({ code }) => code),
    [closeCodes.later.code],
  );
});

test("[SIG-1] data messages have a size and a rate", () => {
  const bench = new Bench({ dataMessageBurst: 2, dataMessagesPerSecond: 1 }).attach();
  bench.room(1, "sendData", defaultConnectionPolicy.dataMessageBytes + 1);
  for (const id of [2, 3, 4]) bench.room(id, "sendData", 10);
  assert.deepEqual(
    bench.commands.map(({ requestId }) => requestId),
    [2, 3],
  );
  const numbers = bench.received.flatMap(({ frame }) =>
    frame.case === "response" && frame.value.result.case === "error" ? [frame.value.result.value.number] : [],
  );
  assert.deepEqual(numbers, [errorTable["payload-too-large"].number, errorTable["rate-limited"].number]);
});

test("[SIG-6] rooms follow joins, leaves, moves and ends", () => {
  const bench = new Bench().attach();
  bench.room(1, "join");
  assert.deepEqual([...bench.connection.rooms], []);
  bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  assert.deepEqual([...bench.connection.rooms], ["r"]);
  bench.event({ event: { case: "moved", value: { toRoomId: "other" } } });
  assert.deepEqual([...bench.connection.rooms], ["other"]);
  bench.event({ roomId: "other", event: { case: "removed", value: {} } });
  assert.deepEqual([...bench.connection.rooms], []);
});

test("[SIG-6] who leaves a room while being moved on from there is not held in the other one", () => {
  // The move is known before the request, or before its answer.
  for (const order of ["moved first", "asked first"] as const) {
    const bench = new Bench().attach();
    bench.room(1, "join");
    bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
    const moved = (): void => bench.event({ event: { case: "moved", value: { toRoomId: "other" } } });
    if (order === "moved first") moved();
    bench.room(2, "leave");
    if (order === "asked first") moved();
    assert.deepEqual([...bench.connection.rooms], [], order);
    const error = toWireError(parleyError("not-in-room"));
    bench.give({ type: "answered", requestId: 2, result: { ok: false, error }, bufferedBytes: 0 });
    assert.deepEqual([...bench.connection.rooms], [], order);
  }
});

test("[SIG-6] who has seen the move and leaves the old room once more stays in the other one; moved on unseen, it is held nowhere", () => {
  const bench = new Bench().attach();
  bench.room(1, "join");
  bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  bench.event({ event: { case: "moved", value: { toRoomId: "other" } } });
  bench.frame({ ack: 2n });
  bench.room(2, "leave");
  assert.deepEqual([...bench.connection.rooms], ["other"]);

  const unseen = new Bench().attach();
  unseen.room(1, "join");
  unseen.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  unseen.event({ event: { case: "moved", value: { toRoomId: "other" } } });
  unseen.event({ roomId: "other", event: { case: "moved", value: { toRoomId: "third" } } });
  assert.deepEqual([...unseen.connection.rooms], ["third"]);
  unseen.room(2, "leave");
  assert.deepEqual([...unseen.connection.rooms], []);
});

test("[SIG-6] who was moved, and leaves the old room that was joined again meanwhile, stays in the other one", () => {
  const bench = new Bench().attach();
  bench.room(1, "join");
  bench.give({ type: "answered", requestId: 1, result: joined, bufferedBytes: 0 });
  bench.room(2, "join");
  bench.event({ event: { case: "moved", value: { toRoomId: "other" } } });
  bench.give({ type: "answered", requestId: 2, result: joined, bufferedBytes: 0 });
  bench.room(3, "leave");
  bench.give({ type: "answered", requestId: 3, result: { ok: true, response: new Uint8Array() }, bufferedBytes: 0 });
  assert.deepEqual([...bench.connection.rooms], ["other"]);
});

test("[SIG-1] violations end the connection: a second connect, an impossible acknowledgement, request 0", () => {
  const frames: FrameInit[] = [
    { frame: { case: "connect", value: {} } },
    { ack: 9n },
    { frame: { case: "request", value: { id: 0n, method: { case: "echo", value: {} } } } },
    { frame: { case: "request", value: { id: 1n << 60n, method: { case: "echo", value: {} } } } },
  ];
  for (const frame of frames) {
    const bench = new Bench().attach();
    bench.frame(frame);
    assert.ok(bench.ended);
    assert.deepEqual(
      bench.closes.map(({ code, reason }) => [code, reason]),
      [[closeCodes.ended.code, "bad-frame"]],
    );
  }
});

test("[SIG-4] the old socket is told that a newer one has come", () => {
  const bench = new Bench().attach();
  bench.give({ type: "replaced" });
  assert.deepEqual(
    bench.closes.map(({ code }) => code),
    [closeCodes.replaced.code],
  );
  bench.attach(0);
  assert.equal(bench.connection.state, "attached");
});
