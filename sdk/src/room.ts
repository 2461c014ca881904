import type { RoomOptions } from "./api/options.ts";
import type { ConnectableRoom } from "./api/room.ts";
import { defaultPlatform } from "./platform/platform.ts";
import { OwnRoom } from "./room/own-room.ts";

/** One room over a connection of its own. `new Room(options)`, then `connect`; after `disconnect` it may connect again. */
export interface Room extends ConnectableRoom {}
export const Room: new (options?: RoomOptions) => Room = class extends OwnRoom {
  constructor(options: RoomOptions = {}) {
    super(options, defaultPlatform(options.environment));
  }
};
