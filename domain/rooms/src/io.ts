import type {
  AudioLevels,
  ConnectionAlive,
  ParleyError,
  RoomCommand,
  RoomCommandReply,
  RoomEvent,
  RoomTransfer,
  RoomTransferReply,
  RoomTransferSettled,
  SessionGrant,
  SessionStatus,
} from "@parley/protocol";
import type { StandingOutput } from "./standing-grants.ts";

/** Everything that can happen to the rooms of a process. Times are arguments of `handle`. */
export type RoomInput =
  | { readonly type: "command"; readonly command: RoomCommand; readonly replyTo: ReplyHandle }
  | { readonly type: "session-status"; readonly status: SessionStatus }
  /** How loud tracks are that a media node forwards, as far as it has changed. */
  | { readonly type: "audio-levels"; readonly levels: AudioLevels }
  /** A media node is gone, or another run of it is there: everything on `bootId` is dead. */
  | { readonly type: "node-lost"; readonly nodeId: string; readonly bootId: bigint }
  | { readonly type: "presence"; readonly connections: readonly ConnectionAlive[] }
  | { readonly type: "connection-gone"; readonly appId: string; readonly connectionId: string }
  | { readonly type: "transfer"; readonly transfer: RoomTransfer; readonly replyTo: ReplyHandle }
  | { readonly type: "transfer-answered"; readonly transferId: string; readonly reply: RoomTransferReply | undefined }
  | { readonly type: "transfer-settled"; readonly settled: RoomTransferSettled }
  /** A grant that a media node still holds, after this process started. */
  | { readonly type: "grant-held"; readonly grant: SessionGrant }
  /** This process starts: media nodes are being asked what they hold, and commands wait for that. */
  | { readonly type: "recover" }
  | { readonly type: "tick" };

/** Where a reply goes: a number of the caller's choosing. */
export type ReplyHandle = number;

export type RoomOutput =
  | { readonly type: "reply"; readonly replyTo: ReplyHandle; readonly reply: RoomCommandReply }
  | { readonly type: "transfer-reply"; readonly replyTo: ReplyHandle; readonly reply: RoomTransferReply }
  /** In order, for each of the connections. */
  | {
      readonly type: "event";
      readonly appId: string;
      readonly connectionIds: readonly string[];
      readonly event: RoomEvent;
      readonly lossy: boolean;
      /** With `lossy`: as RoomEventDelivery.newest_of. */
      readonly newestOf: string;
    }
  /** The desired state of a session; repeats included, until the node has acknowledged it. */
  | {
      readonly type: "grant";
      readonly nodeId: string;
      readonly grant: SessionGrant;
      /** The revision before; what is the same in both is the same object. Absent: it has none, or this is a repeat. */
      readonly before?: SessionGrant;
    }
  | StandingOutput
  /** To be asked of the owner of another room, until it answers or `deadlineMs` has passed. */
  | { readonly type: "transfer-request"; readonly transfer: RoomTransfer; readonly deadlineMs: number }
  /** To the owner of the other room. */
  | { readonly type: "transfer-settled"; readonly settled: RoomTransferSettled };

/** A refusal on its way to becoming a client's Error. */
export type Refusal = ParleyError & { readonly retryAfterMs?: number };
