import type { RoomTransfer, RoomTransferReply } from "@parley/protocol";
import type { ReplyHandle } from "./io.ts";

export interface PendingMove {
  readonly transfer: RoomTransfer;
  readonly requestKey: string;
  readonly connectionId: string;
  /** The host's command and its repeats: all wait for the same answer. */
  readonly waiting: ReplyHandle[];
  /** Connections that have come back from the other room before its answer. */
  readonly returned: Set<string>;
}

/** Moves whose other room has not answered yet. */
export class PendingMoves {
  readonly #byTransfer = new Map<string, PendingMove>();

  add(move: PendingMove): void {
    this.#byTransfer.set(move.transfer.transferId, move);
  }

  /** The move that a repeated command belongs to. */
  find(appId: string, connectionId: string, requestKey: string): PendingMove | undefined {
    for (const move of this.#byTransfer.values()) {
      const same = move.connectionId === connectionId && move.requestKey === requestKey;
      if (same && move.transfer.appId === appId) return move;
    }
    return undefined;
  }

  /** Whoever comes here from another room was there: what is still to be heard of their going there is old news. */
  returned({ appId, toRoomId, participants }: RoomTransfer, { results }: RoomTransferReply): void {
    for (const { transfer, returned } of this.#byTransfer.values()) {
      if (transfer.appId !== appId || transfer.fromRoomId !== toRoomId) continue;
      for (const [index, { connectionId }] of participants.entries()) {
        if (results[index]?.result.case === "joined") returned.add(connectionId);
      }
    }
  }

  take(transferId: string): PendingMove | undefined {
    const move = this.#byTransfer.get(transferId);
    this.#byTransfer.delete(transferId);
    return move;
  }
}
