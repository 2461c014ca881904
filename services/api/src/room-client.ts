import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { roomGrantsOf, type VerifiedToken } from "@parley/domain-access";
import { BusError, err, ok, subjects, type Bus, type Clock, type FenceGuard, type Result } from "@parley/foundation";
import {
  encodeMessage,
  ConnectionGoneSchema,
  parleyError,
  RoomCommandReplySchema,
  RoomCommandSchema,
  type ParleyError,
  type RoomCommandReply,
  type RoomRequestSchema,
  type RoomResponse,
} from "@parley/protocol";
import { ofWire } from "./problem.ts";

/** One try; the bus may lose a message, and a repeat under the same id is answered without being done twice. */
const attemptMs = 1_500;
const attempts = 3;

/** When the one who answered does not own the room any more, who does is asked after this. */
const fencedRetryMs = 100;

export interface RoomClientDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Of this process, as in its announcements of presence. */
  readonly ownerId: string;
  /** Against former owners of rooms. */
  readonly fences: FenceGuard;
}

export interface RoomCaller {
  readonly connectionId: string;
  readonly requestId: bigint;
  readonly localIp: string;
  readonly token: VerifiedToken;
}

/** Commands to the owners of rooms: the same that clients of the gateway send. */
export class RoomClient {
  readonly #deps: RoomClientDeps;

  constructor(deps: RoomClientDeps) {
    this.#deps = deps;
  }

  async command(
    caller: RoomCaller,
    roomId: string,
    method: NonNullable<Exclude<MessageInitShape<typeof RoomRequestSchema>, { $typeName: string }>["method"]>,
  ): Promise<Result<RoomResponse, ParleyError>> {
    const { appId, subject: userId } = caller.token;
    const payload = encodeMessage(
      RoomCommandSchema,
      create(RoomCommandSchema, {
        appId,
        roomId,
        connectionId: caller.connectionId,
        requestId: caller.requestId,
        userId,
        grants: roomGrantsOf(caller.token),
        request: { roomId, method },
        localIp: caller.localIp,
        deadlineUnixMs: BigInt(Math.round(this.#deps.clock.unixMs() + attempts * attemptMs)),
        ownerId: this.#deps.ownerId,
      }),
    );
    return this.#attempt(subjects.roomCommand(appId, roomId), payload, attempts);
  }

  /** The connection is over: its participant leaves. */
  gone(appId: string, connectionId: string): void {
    const message = create(ConnectionGoneSchema, { appId, connectionId });
    this.#deps.bus.publish(subjects.connectionGone, encodeMessage(ConnectionGoneSchema, message));
  }

  async #attempt(subject: string, payload: Uint8Array, left: number): Promise<Result<RoomResponse, ParleyError>> {
    try {
      const { bus, clock, fences } = this.#deps;
      const reply = fromBinary(RoomCommandReplySchema, await bus.request(subject, payload, { timeoutMs: attemptMs }));
      if (fences.admits(reply.fence)) return resultOf(reply);
      if (left <= 1) return err(parleyError("unavailable"));
      await new Promise<void>((resolve) => void clock.after(fencedRetryMs, resolve));
      return this.#attempt(subject, payload, left - 1);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      if (error.code === "timeout" && left > 1) return this.#attempt(subject, payload, left - 1);
      return err(parleyError(error.code === "timeout" ? "timeout" : "unavailable"));
    }
  }
}

function resultOf({ result }: RoomCommandReply): Result<RoomResponse, ParleyError> {
  if (result.case === "response") return ok(result.value);
  return err(result.case === "error" ? ofWire(result.value) : parleyError("internal"));
}
