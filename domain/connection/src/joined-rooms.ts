/** The rooms that a connection is in, by what it was answered and told; and where it is meant to be that it does not know of yet. */
export class JoinedRooms {
  readonly #rooms = new Set<string>();
  /** Moves that the client has not acknowledged, by the room it was in: what it asks of that room may be meant for the other one. */
  readonly #unseenMoves = new Map<string, { readonly toRoomId: string; readonly seq: number }>();

  /** Those it has joined, or waits in the lobby of. */
  get names(): ReadonlySet<string> {
    return this.#rooms;
  }

  joined(roomId: string): void {
    this.#rooms.add(roomId);
  }

  left(roomId: string): void {
    this.#rooms.delete(roomId);
  }

  /**
   * A host has moved it; the client hears of that by frame `seq`. Who is leaving is not held in the room that it is moved to: nobody announces it there,
   * and its owner lets it go.
   */
  moved(fromRoomId: string, toRoomId: string, seq: number, isLeaving: boolean): void {
    this.#rooms.delete(fromRoomId);
    if (this.#rooms.has(toRoomId) || isLeaving) return;
    this.#rooms.add(toRoomId);
    this.#unseenMoves.set(fromRoomId, { toRoomId, seq });
  }

  /** The client leaves a room from which it has been moved, perhaps on and on, and does not know that yet. */
  leaving(roomId: string): void {
    if (this.#rooms.has(roomId)) return;
    const move = this.#unseenMoves.get(roomId);
    if (move === undefined) return;
    this.#unseenMoves.delete(roomId);
    if (!this.#rooms.delete(move.toRoomId)) this.leaving(move.toRoomId);
  }

  /** The client has handled all frames up to this one. */
  seen(upToSeq: number): void {
    for (const [roomId, { seq }] of this.#unseenMoves) if (seq <= upToSeq) this.#unseenMoves.delete(roomId);
  }
}
