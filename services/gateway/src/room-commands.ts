import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { roomGrantsOf, type VerifiedToken } from "@parley/domain-access";
import { CommandLane, toWireError, type CommandResult, type LaneOutput } from "@parley/domain-connection";
import { BusError, subjects, type Bus, type Clock, type FenceGuard, type Logger } from "@parley/foundation";
import { parleyError, RoomCommandReplySchema, RoomCommandSchema, type RoomRequest } from "@parley/protocol";

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
  readonly #abort = new AbortController();

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
    const payload = toBinary(
      RoomCommandSchema,
      create(RoomCommandSchema, {
        appId: input.token.appId,
        roomId,
        connectionId: this.#connectionId,
        requestId: BigInt(input.requestId),
        userId: input.token.subject,
        grants: roomGrantsOf(input.token),
        request: input.request,
        localIp: this.#localIp(),
        deadlineUnixMs: BigInt(deadlineUnixMs),
        ownerId: this.#ownerId,
      }),
    );
    const subject = subjects.roomCommand(input.token.appId, roomId);
    let lane = this.#lanes.get(subject);
    if (lane === undefined) this.#lanes.set(subject, (lane = new CommandLane<Uint8Array>()));
    this.#carryOut(subject, lane, lane.add(input.requestId, payload, input.deadlineAtMs, nowMs));
  }

  /** Nobody waits for answers any more. */
  close(): void {
    this.#lanes.clear();
    this.#abort.abort();
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
    if (nextAtMs === undefined || this.#abort.signal.aborted) return;
    this.#clock.after(Math.max(0, nextAtMs - this.#clock.monoMs()), () => {
      if (!this.#abort.signal.aborted) this.#carryOut(subject, lane, lane.tick(this.#clock.monoMs()));
    });
  }

  async #attempt(
    subject: string,
    lane: CommandLane<Uint8Array>,
    { id, command, timeoutMs }: Extract<LaneOutput<Uint8Array>, { type: "send" }>,
  ): Promise<void> {
    let result: CommandResult | undefined;
    try {
      result = readReply(
        this.#fences,
        await this.#bus.request(subject, command, { timeoutMs, signal: this.#abort.signal }),
      );
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const code = error instanceof BusError ? error.code : "closed";
      if (!(error instanceof BusError)) this.#logger.error("a room command failed", { error: asError(error) });
      this.#carryOut(subject, lane, lane.failed(id, code, this.#clock.monoMs()));
      return;
    }
    if (this.#abort.signal.aborted) return;
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
  try {
    const { result, fence } = fromBinary(RoomCommandReplySchema, bytes);
    if (!fences.admits(fence)) return undefined;
    if (result.case === "response") return { ok: true, response: result.value };
    if (result.case === "error") return { ok: false, error: result.value };
  } catch {
    // Falls through: an owner that answers garbage is a fault of ours.
  }
  return { ok: false, error: toWireError(parleyError("internal")) };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
