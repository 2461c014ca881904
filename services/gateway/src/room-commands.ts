import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { roomGrantsOf, type VerifiedToken } from "@parley/domain-access";
import {
  CommandLane,
  readCommandReply,
  toWireError,
  type CommandResult,
  type LaneOutput,
} from "@parley/domain-connection";
import { BusError, subjects, type Bus, type Clock, type FenceGuard, type Logger } from "@parley/foundation";
import { encodeMessage, parleyError, RoomCommandSchema, type RoomCommand, type RoomRequest } from "@parley/protocol";

export interface RoomCommandInput {
  readonly requestId: number;
  readonly request: RoomRequest;
  readonly deadlineAtMs: number;
  readonly token: VerifiedToken;
}

/** Sends the commands of one connection to the rooms' owners, in order per room, and hands back one answer for each. */
export class RoomCommands {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #connectionId: string;
  readonly #ownerId: string;
  readonly #fences: FenceGuard;
  readonly #localIp: () => string;
  readonly #onAnswer: (requestId: number, result: CommandResult) => void;
  readonly #lanes = new Map<string, CommandLane<Uint8Array>>();
  #closed = false;
  #sender: { readonly token: VerifiedToken; readonly localIp: string; readonly bytes: Uint8Array } | undefined;

  constructor(options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly connectionId: string;
    /** Of this process. */
    readonly ownerId: string;
    readonly fences: FenceGuard;
    readonly localIp: () => string;
    readonly onAnswer: (requestId: number, result: CommandResult) => void;
  }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#connectionId = options.connectionId;
    this.#ownerId = options.ownerId;
    this.#fences = options.fences;
    this.#localIp = options.localIp;
    this.#onAnswer = options.onAnswer;
  }

  send(input: RoomCommandInput): void {
    const nowMs = this.#clock.monoMs();
    const { roomId } = input.request;
    // The owner must not start what nobody waits for any more.
    const deadlineUnixMs = Math.round(this.#clock.unixMs() + (input.deadlineAtMs - nowMs));
    const command = encode({
      roomId,
      requestId: BigInt(input.requestId),
      request: input.request,
      deadlineUnixMs: BigInt(deadlineUnixMs),
    });
    // A message of protobuf may be put together of its parts.
    const payload = Buffer.concat([this.#senderOf(input.token), command]);
    const subject = subjects.roomCommand(input.token.appId, roomId);
    let lane = this.#lanes.get(subject);
    if (lane === undefined) this.#lanes.set(subject, (lane = new CommandLane<Uint8Array>()));
    this.#carryOut(subject, lane, lane.add(input.requestId, payload, input.deadlineAtMs, nowMs));
  }

  /** What all commands of the connection begin with, encoded once. */
  #senderOf(token: VerifiedToken): Uint8Array {
    const localIp = this.#localIp();
    if (this.#sender?.token === token && this.#sender.localIp === localIp) return this.#sender.bytes;
    const bytes = encode({
      ...{ appId: token.appId, userId: token.subject, grants: roomGrantsOf(token), localIp },
      ...{ connectionId: this.#connectionId, ownerId: this.#ownerId },
    });
    this.#sender = { token, localIp, bytes };
    return bytes;
  }

  /** Nobody waits for answers any more. */
  close(): void {
    this.#lanes.clear();
    this.#closed = true;
  }

  #carryOut(subject: string, lane: CommandLane<Uint8Array>, outputs: readonly LaneOutput<Uint8Array>[]): void {
    for (const output of outputs) {
      if (output.type === "send") void this.#attempt(subject, lane, output);
      else this.#onAnswer(output.id, { ok: false, error: toWireError(parleyError(output.reason), 500) });
    }
    if (lane.isEmpty) {
      if (this.#lanes.get(subject) === lane) this.#lanes.delete(subject);
      return;
    }
    const { nextAtMs } = lane;
    if (nextAtMs === undefined || this.#closed) return;
    this.#clock.after(Math.max(0, nextAtMs - this.#clock.monoMs()), () => {
      if (!this.#closed) this.#carryOut(subject, lane, lane.tick(this.#clock.monoMs()));
    });
  }

  async #attempt(
    subject: string,
    lane: CommandLane<Uint8Array>,
    { id, command, timeoutMs }: Extract<LaneOutput<Uint8Array>, { type: "send" }>,
  ): Promise<void> {
    let result: CommandResult | undefined;
    try {
      result = readReply(this.#fences, await this.#bus.request(subject, command, { timeoutMs }));
    } catch (error) {
      if (this.#closed) return;
      const code = error instanceof BusError ? error.code : "closed";
      if (!(error instanceof BusError)) this.#logger.error("a room command failed", { error: asError(error) });
      this.#carryOut(subject, lane, lane.failed(id, code, this.#clock.monoMs()));
      return;
    }
    if (this.#closed) return;
    if (result === undefined) {
      // As if nobody owned the room: the new owner is asked in a moment.
      this.#carryOut(subject, lane, lane.failed(id, "no-responders", this.#clock.monoMs()));
      return;
    }
    lane.answered(id);
    if (lane.isEmpty && this.#lanes.get(subject) === lane) this.#lanes.delete(subject);
    this.#onAnswer(id, result);
  }
}

/** Undefined: a former owner of the room said it. */
function readReply(fences: FenceGuard, bytes: Uint8Array): CommandResult | undefined {
  const reply = readCommandReply(bytes);
  // An owner that answers garbage is a fault of ours.
  if (reply === undefined) return { ok: false, error: toWireError(parleyError("internal")) };
  return fences.admits(reply.fence) ? reply.result : undefined;
}

type CommandInit = Exclude<MessageInitShape<typeof RoomCommandSchema>, RoomCommand>;

function encode(init: CommandInit): Uint8Array {
  return encodeMessage(RoomCommandSchema, create(RoomCommandSchema, init));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
