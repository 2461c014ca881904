import type { RoomCommand, RoomTransfer } from "@parley/protocol";
import type { ReplyHandle } from "./io.ts";
import type { Member } from "./state.ts";

export interface PendingMove {
  readonly transfer: RoomTransfer;
  /** In the order of the transfer's participants. */
  readonly members: readonly Member[];
  readonly command: RoomCommand;
  /** The host's command and its repeats: all wait for the same answer. */
  readonly waiting: ReplyHandle[];
}

/** A host's command that waits until somebody it names has been moved, or not. */
export interface HeldMove {
  readonly command: RoomCommand;
  readonly dueMs: number;
  readonly waiting: ReplyHandle[];
}

/** Moves that are under way: their other room has not answered yet, or another move has to come to its end first. */
export class PendingMoves {
  readonly #asked = new Map<string, PendingMove>();
  #held: HeldMove[] = [];

  ask(move: PendingMove): void {
    this.#asked.set(move.transfer.transferId, move);
  }

  hold(move: HeldMove): void {
    this.#held.push(move);
  }

  /** The move that a repeated command belongs to. */
  find(command: RoomCommand): { readonly waiting: ReplyHandle[] } | undefined {
    for (const move of [...this.#asked.values(), ...this.#held]) if (isSame(move.command, command)) return move;
    return undefined;
  }

  /** The move that the other room has answered. */
  take(transferId: string): PendingMove | undefined {
    const move = this.#asked.get(transferId);
    this.#asked.delete(transferId);
    return move;
  }

  /** Those whose end has come, in their order: taken out. */
  release(isOver: (move: HeldMove) => boolean): HeldMove[] {
    if (this.#held.length === 0) return [];
    const over = this.#held.filter(isOver);
    this.#held = this.#held.filter((move) => !over.includes(move));
    return over;
  }

  /** Connections that are being moved out of a room. */
  leaving(appId: string, roomId: string): ReadonlySet<string> {
    const connections = new Set<string>();
    for (const { transfer } of this.#asked.values()) {
      if (transfer.appId !== appId || transfer.fromRoomId !== roomId) continue;
      for (const { connectionId } of transfer.participants) connections.add(connectionId);
    }
    return connections;
  }
}

function isSame(a: RoomCommand, b: RoomCommand): boolean {
  return (
    a.appId === b.appId && a.connectionId === b.connectionId && a.roomId === b.roomId && a.requestId === b.requestId
  );
}
