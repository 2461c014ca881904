import type { JoinOptions, MediaOptions, TokenSource } from "./options.ts";
import type { Emitter } from "./emitter.ts";
import type { ParleyError } from "./error.ts";
import type { JoinedRoom } from "./room.ts";
import type { ConnectionState } from "./values.ts";

export interface ClientEvents {
  connectionStateChanged: readonly [state: ConnectionState];
  /** `error` undefined: by `disconnect()`. */
  disconnected: readonly [error: ParleyError | undefined];
}

/** One connection to the server, for several rooms at once. `Room` is the short way for one. */
export interface RoomClient extends Emitter<ClientEvents> {
  readonly state: ConnectionState;
  readonly userId: string | undefined;
  /** Rooms that were joined, by name. */
  readonly rooms: ReadonlyMap<string, JoinedRoom>;
  connect(url: string, token: TokenSource): Promise<void>;
  /** May be called before `connect` has resolved: the join then travels with it, in one flight. */
  join(roomId: string, options?: JoinOptions & MediaOptions): Promise<JoinedRoom>;
  /** Leaves all rooms and closes the connection. */
  disconnect(): Promise<void>;
}
