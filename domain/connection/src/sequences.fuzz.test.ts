import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  parleyError,
  type RequestSchema,
  type RoomEventSchema,
  RoomEventDeliverySchema,
  RoomResponseSchema,
  ServerFrameSchema,
} from "@parley/protocol";
import { fuzzBudget, fuzzSeed, SeededRandom } from "@parley/testing";
import { Connection } from "./connection.ts";
import type { ConnectionInput } from "./connection-io.ts";
import { readDelivery } from "./delivery.ts";
import { toWireError } from "./frames.ts";
import { defaultConnectionPolicy, type ConnectionPolicy } from "./policy.ts";

type Init<S> = Exclude<S, { $typeName: string }>;
type Content = NonNullable<Init<MessageInitShape<typeof ClientFrameSchema>>["frame"]>;
type RequestMethod = NonNullable<Init<MessageInitShape<typeof RequestSchema>>["method"]>;
type RoomEventContent = NonNullable<Init<MessageInitShape<typeof RoomEventSchema>>["event"]>;

/** Small, so that every limit is met. */
const policy: ConnectionPolicy = {
  ...defaultConnectionPolicy,
  resumeBufferBytes: 2_000,
  resumeBufferFrames: 20,
  maxPendingRequests: 6,
  maxRefusedPerSecond: 10,
  requestsPerSecond: 20,
  requestBurst: 20,
  dataMessagesPerSecond: 5,
  dataMessageBurst: 5,
  maxRoomsPerConnection: 3,
  closeWatermarkBytes: 1_000,
  lossyWatermarkBytes: 100,
};

/**
 * A client that keeps to no order, on a network that breaks, and everything else that can happen to a connection, in any order. Whatever
 * happens: nothing throws, numbered frames come once and without a gap (or the resume is refused), each request is carried out at most once
 * and answered once.
 */
class Run {
  readonly #random: SeededRandom;
  readonly #connection: Connection;
  #nowMs = 1_000;
  #attached = false;
  #ended = false;
  #nextId = 1;
  /** Highest number the client has handled, over all its sockets. */
  #handled = 0;
  readonly #commands = new Set<number>();
  readonly #open = new Set<number>();
  /** The number of the frame that answered a request. */
  readonly #answered = new Map<number, bigint>();

  constructor(random: SeededRandom) {
    this.#random = random;
    const ids = { connectionId: "c", resumeToken: "r", appId: "a", userId: "u", serverVersion: "0" };
    this.#connection = new Connection({ ...ids, policy }, this.#nowMs);
  }

  get commands(): number {
    return this.#commands.size;
  }

  step(): void {
    if (this.#ended) return;
    this.#nowMs += this.#random.below(this.#random.chance(0.02) ? 40_000 : 60);
    const kind = this.#random.below(20);
    if (!this.#attached && kind < 6) this.#attach();
    else if (kind < 12) this.#frame();
    else if (kind < 15) this.#answer();
    else if (kind < 17) this.#event();
    else if (kind < 18) this.#give({ type: "tick" });
    else this.#rare();
  }

  #attach(): void {
    const first = this.#handled === 0 && this.#random.chance(0.5);
    // What the client says it has handled may also be a lie, or long ago.
    const after = this.#random.chance(0.8) ? this.#handled : this.#random.below(100);
    if (!first && !this.#connection.canResume(after)) {
      // The gateway makes a new connection then; this one is as good as gone.
      this.#give({ type: "given-up" });
      return;
    }
    const lied = !first && after !== this.#handled;
    this.#attached = true;
    if (lied) this.#handled = after;
    const expiry = this.#random.chance(0.2) ? { atMs: this.#nowMs + 500, atUnixMs: 500 } : undefined;
    this.#give({ type: "attached", resumeAfter: first ? undefined : after, serverTimeUnixMs: 1, expiry });
    // A first socket after frames were numbered: its client has had none of them.
    if (first) this.#handled = Number.NaN;
  }

  #frame(): void {
    const ack = this.#random.chance(0.5) ? BigInt(Math.max(0, this.#handled || 0)) : BigInt(this.#random.below(1_000));
    const frame = create(ClientFrameSchema, { ack: this.#random.chance(0.7) ? 0n : ack, frame: this.#content() });
    this.#give({ type: "frame", frame, bufferedBytes: this.#buffered() });
  }

  #content(): Content {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        return { case: "ping", value: { sentAtMs: 5n } };
      case 1:
        return { case: "refreshToken", value: { token: "t" } };
      case 2:
        return random.chance(0.05) ? { case: "connect", value: { token: "t" } } : { case: undefined };
      default:
        return {
          case: "request",
          value: { id: this.#id(), deadlineMs: random.below(3) * 100, method: this.#method() },
        };
    }
  }

  #id(): bigint {
    if (this.#random.chance(0.02)) return this.#random.pick([0n, 1n << 63n, 1n << 53n]);
    if (this.#random.chance(0.2)) return BigInt(Math.max(1, this.#nextId - this.#random.below(5)));
    this.#nextId += 1 + (this.#random.chance(0.1) ? this.#random.below(5) : 0);
    return BigInt(this.#nextId);
  }

  #method(): RequestMethod {
    const roomId = `room ${this.#random.below(6)}`;
    const room = (method: "join" | "leave" | "getSnapshot" | "updateSelf") =>
      ({ case: "room", value: { roomId, method: { case: method, value: {} } } }) as const;
    switch (this.#random.below(8)) {
      case 0:
        return { case: "echo", value: { payload: new Uint8Array(this.#random.below(200)) } };
      case 1: {
        const payload = new Uint8Array(this.#random.chance(0.1) ? 20_000 : 10);
        return { case: "room", value: { roomId, method: { case: "sendData", value: { payload } } } };
      }
      case 2:
        return { case: "room", value: { roomId } };
      case 3:
        return { case: undefined };
      default:
        return room(this.#random.pick(["join", "leave", "getSnapshot", "updateSelf"]));
    }
  }

  #answer(): void {
    const id = this.#random.chance(0.9)
      ? this.#random.pick([...this.#open, 999_999])
      : this.#random.below(this.#nextId + 5);
    const response = create(RoomResponseSchema, {
      result: this.#random.chance(0.5) ? { case: "joined", value: {} } : { case: "done", value: {} },
    });
    const result = this.#random.chance(0.8)
      ? ({ ok: true, response: toBinary(RoomResponseSchema, response) } as const)
      : ({ ok: false, error: toWireError(parleyError("unavailable")) } as const);
    this.#give({ type: "answered", requestId: id, result, bufferedBytes: this.#buffered() });
  }

  #event(): void {
    const events: RoomEventContent[] = [
      { case: "dataReceived", value: { payload: new Uint8Array(this.#random.below(300)) } },
      { case: "removed", value: {} },
      { case: "moved", value: { toRoomId: `room ${this.#random.below(6)}` } },
      { case: "roomClosed", value: {} },
    ];
    const event = { roomId: `room ${this.#random.below(6)}`, event: this.#random.pick(events) };
    const lossy = this.#random.chance(0.3);
    const newestOf = lossy && this.#random.chance(0.5) ? event.roomId : "";
    const message = create(RoomEventDeliverySchema, { event, lossy, newestOf });
    const delivery = readDelivery(toBinary(RoomEventDeliverySchema, message));
    assert.ok(delivery !== undefined);
    this.#give({ type: "event", delivery, bufferedBytes: this.#buffered() });
  }

  #rare(): void {
    const rare: ConnectionInput[] = [
      { type: "socket-closed" },
      { type: "socket-closed" },
      { type: "socket-closed" },
      { type: "replaced" },
      { type: "flooded" },
      { type: "drain", retryAfterMs: 5 },
      { type: "token-refreshed", expiry: undefined },
      { type: "token-refused", error: parleyError("token-expired") },
    ];
    if (this.#random.chance(0.03)) {
      rare.push(
        { type: "revoked", error: parleyError("token-revoked") },
        { type: "violation", error: parleyError("bad-frame") },
        { type: "given-up" },
      );
    }
    this.#give(this.#random.pick(rare));
  }

  #buffered(): number {
    return this.#random.chance(0.9) ? 0 : this.#random.below(2_000);
  }

  #give(input: ConnectionInput): void {
    if (input.type === "socket-closed") this.#attached = false;
    for (const output of this.#connection.handle(input, this.#nowMs)) {
      assert.ok(!this.#ended, "nothing comes out of a connection that has ended");
      switch (output.type) {
        case "send":
          assert.ok(this.#attached, "nothing is sent without a socket");
          this.#receive(output.bytes);
          break;
        case "close-socket":
          assert.ok(this.#attached);
          assert.ok(output.code >= 4000 && output.code < 5000 && output.reason.length <= 100);
          this.#attached = false;
          break;
        case "command":
          assert.ok(!this.#commands.has(output.requestId), "a request is carried out once");
          this.#commands.add(output.requestId);
          this.#open.add(output.requestId);
          assert.ok(this.#open.size <= policy.maxPendingRequests);
          break;
        case "ended":
          this.#ended = true;
          this.#attached = false;
          break;
        default:
      }
    }
    if (input.type === "answered") this.#open.delete(input.requestId);
    assert.equal(this.#connection.state === "attached", this.#attached);
    assert.equal(this.#connection.state === "ended", this.#ended);
  }

  #receive(bytes: Uint8Array): void {
    const { seq, frame } = fromBinary(ServerFrameSchema, bytes);
    if (seq !== 0n) {
      const expected = Number.isNaN(this.#handled) ? Number(seq) : this.#handled + 1;
      assert.equal(Number(seq), expected, "numbered frames come in order, once, without a gap");
      this.#handled = Number(seq);
    }
    if (frame.case === "disconnect") assert.ok((frame.value.error?.number ?? 0) > 0);
    if (frame.case !== "response") return;
    const id = Number(frame.value.requestId);
    if (frame.value.result.case === "error") assert.ok(frame.value.result.value.number > 0);
    assert.equal(this.#answered.get(id) ?? seq, seq, "a request has one answer");
    this.#answered.set(id, seq);
  }
}

test("[SIG-1] [SIG-4] any order of frames, resumes, answers and ends: nothing throws, comes twice or is lost", () => {
  const random = new SeededRandom(fuzzSeed(30));
  const more = fuzzBudget(1_500);
  let commands = 0;
  for (let round = 0; more(round); round += 1) {
    const run = new Run(random);
    for (let step = 20 + random.below(200); step > 0; step -= 1) run.step();
    commands += run.commands;
  }
  assert.ok(commands > 1_000, `${commands} requests were carried out`);
});
