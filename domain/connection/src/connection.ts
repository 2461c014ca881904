import {
  closeCodes,
  errorTable,
  parleyError,
  type ClientFrame,
  type CloseCodeName,
  type ParleyError,
  type Request,
  type RoomRequest,
  type Error as WireError,
} from "@parley/protocol";
import { saysJoined } from "./command-reply.ts";
import type {
  CommandResult,
  ConnectionInput,
  ConnectionOptions,
  ConnectionOutput,
  TokenExpiry,
} from "./connection-io.ts";
import type { Delivery } from "./delivery.ts";
import {
  encodeEventFrame,
  encodeResponseFrame,
  encodeServerFrame,
  toWireError,
  type ServerFrameInit,
} from "./frames.ts";
import { JoinedRooms } from "./joined-rooms.ts";
import { NewestEvents } from "./newest-events.ts";
import type { ConnectionPolicy } from "./policy.ts";
import { ResumeBuffer } from "./resume-buffer.ts";
import { TokenBucket } from "./token-bucket.ts";
import { UserBudget } from "./user-budget.ts";

/** Who floods is to stay away for so long. */
const floodedRetryMs = 5_000;

/** What the client may be told of the close, at most 123 bytes (RFC 6455 5.5). */
const maxCloseReasonBytes = 100;

/**
 * One client's connection, which outlives its sockets: numbers and keeps what must arrive, recognises repeated requests, holds
 * the limits. A state machine without IO: inputs and the time in, outputs out, in the order they are to be carried out.
 */
export class Connection {
  readonly connectionId: string;
  readonly resumeToken: string;
  readonly appId: string;
  readonly userId: string;
  readonly #options: ConnectionOptions;
  readonly #policy: ConnectionPolicy;
  readonly #kept: ResumeBuffer;
  readonly #requests: TokenBucket;
  readonly #data: TokenBucket;
  readonly #budget: UserBudget;
  readonly #newest = new NewestEvents();
  readonly #rooms = new JoinedRooms();
  /** Requests that wait for their answer, with their room and what they do. */
  readonly #pending = new Map<number, { readonly roomId: string; readonly method: RoomRequest["method"]["case"] }>();
  #state: "detached" | "attached" | "ended" = "detached";
  #expiry: TokenExpiry | undefined;
  #lastHeardAtMs: number;
  #detachedAtMs: number;
  #highestRequestId = 0;
  #refusedInWindow = 0;
  #refusedWindowStartMs = 0;
  #outputs: ConnectionOutput[] = [];

  constructor(options: ConnectionOptions, nowMs: number) {
    this.#options = options;
    this.#policy = options.policy;
    this.connectionId = options.connectionId;
    this.resumeToken = options.resumeToken;
    this.appId = options.appId;
    this.userId = options.userId;
    this.#kept = new ResumeBuffer(options.policy.resumeBufferBytes, options.policy.resumeBufferFrames);
    this.#requests = new TokenBucket(options.policy.requestsPerSecond, options.policy.requestBurst, nowMs);
    this.#data = new TokenBucket(options.policy.dataMessagesPerSecond, options.policy.dataMessageBurst, nowMs);
    this.#budget = options.budget ?? new UserBudget(options.policy, nowMs);
    this.#lastHeardAtMs = nowMs;
    this.#detachedAtMs = nowMs;
  }

  get state(): "detached" | "attached" | "ended" {
    return this.#state;
  }

  /** Rooms it has joined (or waits in the lobby of). */
  get rooms(): ReadonlySet<string> {
    return this.#rooms.names;
  }

  /** Whether a client that handled everything up to `lastSeq` can go on without a gap. */
  canResume(lastSeq: number): boolean {
    return this.#state !== "ended" && this.#kept.since(lastSeq) !== undefined;
  }

  handle(input: ConnectionInput, nowMs: number): readonly ConnectionOutput[] {
    if (this.#state === "ended") return [];
    this.#outputs = [];
    switch (input.type) {
      case "attached":
        this.#expiry = input.expiry;
        this.#attach(input.resumeAfter, input.serverTimeUnixMs, nowMs);
        break;
      case "frame":
        if (this.#state === "attached") this.#onFrame(input.frame, input.bufferedBytes, nowMs);
        this.#sendNewest(input.bufferedBytes);
        break;
      case "flooded":
        this.#disconnect(parleyError("rate-limited", "Too many frames."), "later", floodedRetryMs, nowMs);
        break;
      case "given-up":
        if (this.#state === "detached") this.#end();
        break;
      case "violation":
        this.#disconnect(input.error, "ended", 0, nowMs);
        this.#end();
        break;
      case "replaced":
        if (this.#state === "attached") this.#close("replaced", "a newer socket", nowMs);
        break;
      case "socket-closed":
        this.#detach(nowMs);
        break;
      case "answered":
        this.#onAnswer(input.requestId, input.result, input.bufferedBytes, nowMs);
        break;
      case "event":
        this.#onEvent(input.delivery, input.bufferedBytes, nowMs);
        break;
      case "token-refreshed":
        this.#expiry = input.expiry;
        this.#sendUnkept({
          frame: { case: "tokenRefreshed", value: { tokenExpiresAtUnixMs: BigInt(input.expiry?.atUnixMs ?? 0) } },
        });
        break;
      case "token-refused":
        this.#disconnect(input.error, "new-token", 0, nowMs);
        break;
      case "revoked":
        this.#disconnect(input.error, "ended", 0, nowMs);
        this.#end();
        break;
      case "drain":
        this.#disconnect(parleyError("draining"), "later", input.retryAfterMs, nowMs);
        break;
      case "tick":
        this.#onTick(nowMs);
        break;
    }
    return this.#outputs;
  }

  #attach(resumeAfter: number | undefined, serverTimeUnixMs: number, nowMs: number): void {
    this.#state = "attached";
    this.#lastHeardAtMs = nowMs;
    const { policy } = this.#options;
    this.#sendUnkept({
      frame: {
        case: "connected",
        value: {
          connectionId: this.connectionId,
          resumed: resumeAfter !== undefined,
          resumeToken: this.resumeToken,
          heartbeatIntervalMs: policy.heartbeatIntervalMs,
          resumeWindowMs: policy.resumeWindowMs,
          limits: {
            maxFrameBytes: policy.maxFrameBytes,
            requestsPerSecond: policy.requestsPerSecond,
            dataMessageBytes: policy.dataMessageBytes,
            dataMessagesPerSecond: policy.dataMessagesPerSecond,
          },
          serverTimeUnixMs: BigInt(serverTimeUnixMs),
          serverVersion: this.#options.serverVersion,
          userId: this.userId,
          tokenExpiresAtUnixMs: BigInt(this.#expiry?.atUnixMs ?? 0),
        },
      },
    });
    if (resumeAfter === undefined) return;
    this.#rooms.seen(resumeAfter);
    for (const frame of this.#kept.since(resumeAfter) ?? []) this.#outputs.push({ type: "send", bytes: frame.bytes });
    this.#sendNewest(0);
  }

  #onFrame(frame: ClientFrame, bufferedBytes: number, nowMs: number): void {
    this.#lastHeardAtMs = nowMs;
    if (frame.ack !== 0n && !this.#kept.acknowledge(Number(frame.ack))) {
      this.#violate(parleyError("bad-frame", "An acknowledgement of what was never sent."), nowMs);
      return;
    }
    this.#rooms.seen(Number(frame.ack));
    switch (frame.frame.case) {
      case "connect":
        this.#violate(parleyError("bad-frame", "A second connect frame."), nowMs);
        break;
      case "request":
        this.#onRequest(frame.frame.value, bufferedBytes, nowMs);
        break;
      case "ping":
        // Who pings without reading the answers must not fill our memory with them.
        if (bufferedBytes > this.#policy.closeWatermarkBytes) this.#close("resume", "connection-slow", nowMs);
        else this.#sendUnkept({ frame: { case: "pong", value: { sentAtMs: frame.frame.value.sentAtMs } } });
        break;
      case "refreshToken":
        this.#outputs.push({ type: "verify-token", token: frame.frame.value.token });
        break;
      case undefined:
        // Only an acknowledgement, or something newer than we are.
        break;
    }
  }

  #onRequest(request: Request, bufferedBytes: number, nowMs: number): void {
    const requestId = Number(request.id);
    if (!Number.isSafeInteger(requestId) || requestId < 1) {
      this.#violate(parleyError("bad-frame", "A request id is out of range."), nowMs);
      return;
    }
    // Sockets keep the order and ids grow, so an id that is not above all others is a repetition after a resume: its answer is under way, or
    // among the frames that were sent again.
    if (requestId <= this.#highestRequestId) return;
    this.#highestRequestId = requestId;
    const refusal = this.#refusalOf(request, nowMs);
    if (refusal !== undefined) {
      this.#answer(requestId, { case: "error", value: refusal }, bufferedBytes, nowMs);
      if (refusal.number === errorTable["rate-limited"].number) this.#countRefused(nowMs);
      return;
    }
    if (request.method.case === "echo") {
      this.#answer(requestId, { case: "echo", value: request.method.value }, bufferedBytes, nowMs);
      return;
    }
    if (request.method.case !== "room") return;
    const room = request.method.value;
    if (room.method.case === "leave") this.#rooms.leaving(room.roomId);
    this.#pending.set(requestId, { roomId: room.roomId, method: room.method.case });
    const deadlineMs = request.deadlineMs === 0 ? this.#policy.defaultDeadlineMs : request.deadlineMs;
    const deadlineAtMs = nowMs + Math.min(deadlineMs, this.#policy.maxDeadlineMs);
    this.#outputs.push({ type: "command", requestId, request: room, deadlineAtMs });
  }

  /** Why a request is not even passed on. */
  #refusalOf(request: Request, nowMs: number): WireError | undefined {
    if (!this.#requests.take(nowMs)) return toWireError(parleyError("rate-limited"), this.#requests.waitMs);
    if (request.method.case === undefined) return toWireError(parleyError("bad-request", "No known method."));
    if (request.method.case === "echo") return undefined;
    const room = request.method.value;
    if (room.method.case === undefined) return toWireError(parleyError("bad-request", "No known method."));
    if (this.#pending.size >= this.#policy.maxPendingRequests) {
      return toWireError(parleyError("rate-limited", "Too many requests wait for an answer."), 1000);
    }
    if (room.method.case === "join" && this.#rooms.names.size >= this.#policy.maxRoomsPerConnection) {
      return toWireError(parleyError("rate-limited", "Too many rooms on this connection."));
    }
    const waitMs = this.#budget.take(room.method.case, nowMs);
    if (waitMs > 0) return toWireError(parleyError("rate-limited"), waitMs);
    if (room.method.case !== "sendData") return undefined;
    if (room.method.value.payload.length > this.#policy.dataMessageBytes) {
      return toWireError(parleyError("payload-too-large", `At most ${this.#policy.dataMessageBytes} bytes.`));
    }
    return this.#data.take(nowMs) ? undefined : toWireError(parleyError("rate-limited"), this.#data.waitMs);
  }

  #countRefused(nowMs: number): void {
    if (nowMs - this.#refusedWindowStartMs >= 1000) {
      this.#refusedWindowStartMs = nowMs;
      this.#refusedInWindow = 0;
    }
    this.#refusedInWindow += 1;
    if (this.#refusedInWindow > this.#policy.maxRefusedPerSecond) {
      this.#disconnect(parleyError("rate-limited"), "later", floodedRetryMs, nowMs);
    }
  }

  #onAnswer(requestId: number, result: CommandResult, bufferedBytes: number, nowMs: number): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return;
    this.#pending.delete(requestId);
    if (result.ok) {
      if (pending.method === "join" && saysJoined(result.response)) this.#rooms.joined(pending.roomId);
      if (pending.method === "leave") this.#rooms.left(pending.roomId);
      const bytes = encodeResponseFrame(this.#kept.nextSeq, requestId, result.response);
      this.#keepAndSend(bytes, bufferedBytes, nowMs);
    } else {
      this.#answer(requestId, { case: "error", value: result.error }, bufferedBytes, nowMs);
    }
  }

  #answer(
    requestId: number,
    result: Extract<NonNullable<ServerFrameInit["frame"]>, { case: "response" }>["value"]["result"],
    bufferedBytes: number,
    nowMs: number,
  ): void {
    const seq = this.#kept.nextSeq;
    const value = { requestId: BigInt(requestId), ...(result === undefined ? {} : { result }) };
    this.#keepAndSend(
      encodeServerFrame({ seq: BigInt(seq), frame: { case: "response", value } }),
      bufferedBytes,
      nowMs,
    );
  }

  #onEvent(delivery: Delivery, bufferedBytes: number, nowMs: number): void {
    if (delivery.lossy) {
      this.#onLossyEvent(delivery, bufferedBytes);
      return;
    }
    const { membership } = delivery;
    if (membership?.type === "left") this.#rooms.left(membership.roomId);
    else if (membership?.type === "moved") {
      const { roomId, toRoomId } = membership;
      this.#rooms.moved(roomId, toRoomId, this.#kept.nextSeq, this.#isLeaving(roomId));
    }
    this.#keepAndSend(encodeEventFrame(this.#kept.nextSeq, delivery.event), bufferedBytes, nowMs);
  }

  #onLossyEvent({ event, newestOf }: Delivery, bufferedBytes: number): void {
    const takesIt = this.#state === "attached" && bufferedBytes <= this.#policy.lossyWatermarkBytes;
    if (takesIt) {
      this.#newest.forget(newestOf);
      this.#outputs.push({ type: "send", bytes: encodeEventFrame(0, event) });
    } else if (newestOf !== "") this.#newest.keep(newestOf, event);
    else if (this.#state === "attached") this.#outputs.push({ type: "dropped-lossy" });
  }

  /** What could not be taken when it was said, as it is now. */
  #sendNewest(bufferedBytes: number): void {
    if (this.#state !== "attached" || bufferedBytes > this.#policy.lossyWatermarkBytes) return;
    for (const event of this.#newest.take()) this.#outputs.push({ type: "send", bytes: encodeEventFrame(0, event) });
  }

  #isLeaving(roomId: string): boolean {
    for (const pending of this.#pending.values()) {
      if (pending.method === "leave" && pending.roomId === roomId) return true;
    }
    return false;
  }

  #keepAndSend(bytes: Uint8Array, bufferedBytes: number, nowMs: number): void {
    this.#kept.push(bytes);
    if (this.#state !== "attached") return;
    if (bufferedBytes > this.#policy.closeWatermarkBytes) {
      // No Disconnect frame: it would wait behind everything else. The client takes the close as "resume".
      this.#close("resume", "connection-slow", nowMs);
      return;
    }
    this.#outputs.push({ type: "send", bytes });
  }

  #sendUnkept(frame: ServerFrameInit): void {
    if (this.#state === "attached") this.#outputs.push({ type: "send", bytes: encodeServerFrame(frame) });
  }

  #onTick(nowMs: number): void {
    if (this.#state === "detached") {
      if (nowMs - this.#detachedAtMs >= this.#policy.resumeWindowMs) this.#end();
      return;
    }
    if (this.#expiry !== undefined && nowMs >= this.#expiry.atMs) {
      this.#disconnect(parleyError("token-expired"), "new-token", 0, nowMs);
    } else if (nowMs - this.#lastHeardAtMs >= 2 * this.#policy.heartbeatIntervalMs) {
      this.#disconnect(parleyError("connection-silent"), "resume", 0, nowMs);
    }
  }

  #violate(error: ParleyError, nowMs: number): void {
    this.#disconnect(error, "ended", 0, nowMs);
    this.#end();
  }

  /** The last frame, then the close. The connection itself stays for its resume window. */
  #disconnect(error: ParleyError, close: CloseCodeName, retryAfterMs: number, nowMs: number): void {
    if (this.#state !== "attached") return;
    const reconnect = close === "resume" || close === "later";
    const value = { error: toWireError(error, retryAfterMs), reconnect, retryAfterMs };
    this.#sendUnkept({ frame: { case: "disconnect", value } });
    this.#close(close, error.name, nowMs);
  }

  #close(name: CloseCodeName, reason: string, nowMs: number): void {
    const { code } = closeCodes[name];
    this.#outputs.push({ type: "close-socket", code, reason: reason.slice(0, maxCloseReasonBytes) });
    this.#detach(nowMs);
  }

  #detach(nowMs: number): void {
    if (this.#state !== "attached") return;
    this.#state = "detached";
    this.#detachedAtMs = nowMs;
  }

  #end(): void {
    this.#state = "ended";
    this.#pending.clear();
    this.#outputs.push({ type: "ended" });
  }
}
