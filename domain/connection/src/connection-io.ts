import type { ClientFrame, ParleyError, RoomRequest, Error as WireError } from "@parley/protocol";
import type { Delivery } from "./delivery.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type { UserBudget } from "./user-budget.ts";

export interface ConnectionOptions {
  readonly connectionId: string;
  /** 32 random bytes as text: whoever has it (and a token of the same user) is this connection. */
  readonly resumeToken: string;
  readonly userId: string;
  readonly appId: string;
  readonly serverVersion: string;
  readonly policy: ConnectionPolicy;
  /** Shared by the connections of one user; absent: its own. */
  readonly budget?: UserBudget;
}

/** When a token runs out, in the time of `nowMs` and in Unix time. */
export interface TokenExpiry {
  readonly atMs: number;
  readonly atUnixMs: number;
}

export type ConnectionInput =
  /** A new socket. `resumeAfter`: the last sequence number its client handled; undefined: the first socket of this connection. */
  | {
      readonly type: "attached";
      readonly resumeAfter: number | undefined;
      readonly serverTimeUnixMs: number;
      /** Of the token that came with this socket. */
      readonly expiry: TokenExpiry | undefined;
    }
  | { readonly type: "frame"; readonly frame: ClientFrame; readonly bufferedBytes: number }
  /** More frames than any client needs. */
  | { readonly type: "flooded" }
  /** The client has newer connections, and this one's socket is gone: it is not kept for a resume. */
  | { readonly type: "given-up" }
  /** The client broke the protocol. */
  | { readonly type: "violation"; readonly error: ParleyError }
  | { readonly type: "socket-closed" }
  /** The client has come with a newer socket; the old one is still attached. */
  | { readonly type: "replaced" }
  | {
      readonly type: "answered";
      readonly requestId: number;
      readonly result: CommandResult;
      readonly bufferedBytes: number;
    }
  | { readonly type: "event"; readonly delivery: Delivery; readonly bufferedBytes: number }
  | { readonly type: "token-refreshed"; readonly expiry: TokenExpiry | undefined }
  | { readonly type: "token-refused"; readonly error: ParleyError }
  | { readonly type: "revoked"; readonly error: ParleyError }
  | { readonly type: "drain"; readonly retryAfterMs: number }
  | { readonly type: "tick" };

export type CommandResult =
  /** An encoded `RoomResponse`: it goes to the client as it is. */
  { readonly ok: true; readonly response: Uint8Array } | { readonly ok: false; readonly error: WireError };

export type ConnectionOutput =
  /** To the socket that is attached. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** Close the socket that is attached, after what was sent; from here on it is not attached. */
  | { readonly type: "close-socket"; readonly code: number; readonly reason: string }
  | {
      readonly type: "command";
      readonly requestId: number;
      readonly request: RoomRequest;
      readonly deadlineAtMs: number;
    }
  | { readonly type: "verify-token"; readonly token: string }
  | { readonly type: "dropped-lossy" }
  /** Gone for good. */
  | { readonly type: "ended" };
