import type { Clock, Timer } from "@parley/foundation";
import type { Response, RoomResponse } from "@parley/protocol";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RequestSchema } from "@parley/protocol";
import { sdkError, wireError, type ParleyError } from "../api/error.ts";

export type RequestMethod = NonNullable<MessageInitShape<typeof RequestSchema>["method"]>;
/** What a request brought: the room's answer, or nothing (echo). */
export type RequestResult = RoomResponse | undefined;

interface Entry {
  readonly id: number;
  readonly method: RequestMethod;
  readonly deadlineAtMs: number;
  readonly timer: Timer;
  readonly resolve: (result: RequestResult) => void;
  readonly reject: (error: ParleyError) => void;
  sent: boolean;
}

/** Answers come within this or the promise rejects. Longer than a reconnect usually takes, shorter than patience. */
export const defaultDeadlineMs = 10_000;

/** Requests that wait for their answer, in the order of their ids. */
export class PendingRequests {
  readonly #clock: Clock;
  readonly #entries = new Map<number, Entry>();
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(method: RequestMethod, deadlineMs: number): { readonly id: number; readonly answered: Promise<RequestResult> } {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<RequestResult>();
    const timer = this.#clock.after(deadlineMs, () => {
      this.#entries.delete(id);
      reject(sdkError("request-timeout"));
    });
    const deadlineAtMs = this.#clock.monoMs() + deadlineMs;
    this.#entries.set(id, { id, method, deadlineAtMs, timer, resolve, reject, sent: false });
    return { id, answered: promise };
  }

  /** The frames of what waits, oldest first: everything, or only what was never sent. Marks them as sent. */
  frames(
    which: "all" | "unsent",
  ): { readonly id: bigint; readonly deadlineMs: number; readonly method: RequestMethod }[] {
    const frames = [];
    for (const entry of this.#entries.values()) {
      if (which === "unsent" && entry.sent) continue;
      entry.sent = true;
      const deadlineMs = Math.max(1, Math.round(entry.deadlineAtMs - this.#clock.monoMs()));
      frames.push({ id: BigInt(entry.id), deadlineMs, method: entry.method });
    }
    return frames;
  }

  answer({ requestId, result }: Response): void {
    const entry = this.#take(Number(requestId));
    if (entry === undefined) return;
    if (result.case === "error") entry.reject(wireError(result.value));
    else entry.resolve(result.case === "room" ? result.value : undefined);
  }

  failAll(error: ParleyError): void {
    for (const id of [...this.#entries.keys()]) this.#take(id)?.reject(error);
  }

  #take(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.timer.cancel();
    return entry;
  }
}
