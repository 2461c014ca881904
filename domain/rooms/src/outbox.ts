import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ErrorSchema, RoomEventSchema, errorTable, type Error as WireError, type RoomEvent } from "@parley/protocol";
import type { Refusal, RoomOutput } from "./io.ts";

export type EventCase = Exclude<RoomEvent["event"], { case: undefined }>["case"];
type EventInit = Exclude<MessageInitShape<typeof RoomEventSchema>, RoomEvent>["event"];

/** Collects what one call of `handle` puts out, in order. */
export class Outbox {
  #outputs: RoomOutput[] = [];
  #newGrants: Extract<RoomOutput, { type: "grant" }>[] = [];

  push(output: RoomOutput): void {
    this.#outputs.push(output);
    if (output.type === "grant") this.#newGrants.push(output);
  }

  /** Grants that were put out since this was last asked. */
  newGrants(): Extract<RoomOutput, { type: "grant" }>[] {
    const grants = this.#newGrants;
    this.#newGrants = [];
    return grants;
  }

  take(): RoomOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

export interface Audience {
  readonly appId: string;
  readonly roomId: string;
  readonly connectionIds: readonly string[];
  /** 0: changes no state. */
  readonly revision: bigint;
  readonly lossy?: boolean;
  /** With `lossy`: what the event says all of, so that it takes the place of older ones that wait. */
  readonly newestOf?: string;
}

export function pushEvent(out: Outbox, audience: Audience, event: NonNullable<EventInit>): void {
  if (audience.connectionIds.length === 0) return;
  out.push({
    type: "event",
    appId: audience.appId,
    connectionIds: audience.connectionIds,
    event: create(RoomEventSchema, { roomId: audience.roomId, revision: audience.revision, event }),
    lossy: audience.lossy ?? false,
    newestOf: audience.newestOf ?? "",
  });
}

/** A pause before a retryable request is repeated, when nothing says more. */
const defaultRetryAfterMs = 1_000;

/** A refusal as the client gets it. */
export function wireError(refusal: Refusal): WireError {
  const { number, text, retry } = errorTable[refusal.name];
  const retryable = retry === "later";
  return create(ErrorSchema, {
    number,
    name: refusal.name,
    message: refusal.detail === undefined ? text : `${text} ${refusal.detail}`,
    retryable,
    retryAfterMs: retryable ? (refusal.retryAfterMs ?? defaultRetryAfterMs) : 0,
  });
}
