import type { RoomTransfer } from "@parley/protocol";
import type { ReplyHandle } from "./io.ts";

export interface PendingMove {
  readonly transfer: RoomTransfer;
  readonly requestKey: string;
  readonly connectionId: string;
  /** The host's command and its repeats: all wait for the same answer. */
  readonly waiting: ReplyHandle[];
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

  take(transferId: string): PendingMove | undefined {
    const move = this.#byTransfer.get(transferId);
    this.#byTransfer.delete(transferId);
    return move;
  }
}
