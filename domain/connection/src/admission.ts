import { parleyError, type ClientFrame, type Connect, type ParleyError } from "@parley/protocol";
import type { ConnectionPolicy } from "./policy.ts";

export type AdmissionInput =
  | { readonly type: "frame"; readonly frame: ClientFrame }
  | { readonly type: "accepted" }
  | { readonly type: "tick" };

export type AdmissionOutput =
  /** Check this token, then say `accepted` (or close the socket). */
  | { readonly type: "verify"; readonly connect: Connect }
  /** For the connection, in order; only after `accepted`. */
  | { readonly type: "frame"; readonly frame: ClientFrame }
  | { readonly type: "refuse"; readonly error: ParleyError };

/**
 * A socket before it belongs to a connection: the first frame must be `connect`, within the deadline; what follows it before
 * the token is checked is kept, up to a limit, and handed on in order.
 */
export class Admission {
  readonly #policy: ConnectionPolicy;
  readonly #openedAtMs: number;
  #state: "silent" | "verifying" | "accepted" | "refused" = "silent";
  #kept: ClientFrame[] = [];

  constructor(policy: ConnectionPolicy, nowMs: number) {
    this.#policy = policy;
    this.#openedAtMs = nowMs;
  }

  handle(input: AdmissionInput, nowMs: number): readonly AdmissionOutput[] {
    switch (input.type) {
      case "frame":
        return this.#onFrame(input.frame);
      case "accepted": {
        if (this.#state !== "verifying") return [];
        this.#state = "accepted";
        const kept = this.#kept;
        this.#kept = [];
        return kept.map((frame) => ({ type: "frame", frame }));
      }
      case "tick": {
        const late = this.#state === "silent" && nowMs - this.#openedAtMs >= this.#policy.connectDeadlineMs;
        return late ? this.#refuse(parleyError("connect-timeout")) : [];
      }
    }
  }

  #onFrame(frame: ClientFrame): readonly AdmissionOutput[] {
    switch (this.#state) {
      case "silent": {
        const { frame: content } = frame;
        if (content.case !== "connect")
          return this.#refuse(parleyError("bad-frame", "The first frame is not connect."));
        this.#state = "verifying";
        return [{ type: "verify", connect: content.value }];
      }
      case "verifying":
        if (this.#kept.length >= this.#policy.maxPipelinedFrames) {
          return this.#refuse(parleyError("rate-limited", "Too many frames before the answer to connect."));
        }
        this.#kept.push(frame);
        return [];
      case "accepted":
        return [{ type: "frame", frame }];
      case "refused":
        return [];
    }
  }

  #refuse(error: ParleyError): readonly AdmissionOutput[] {
    this.#state = "refused";
    this.#kept = [];
    return [{ type: "refuse", error }];
  }
}
