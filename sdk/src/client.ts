import type { RoomClient } from "./api/client.ts";
import type { ClientOptions } from "./api/options.ts";
import { defaultPlatform } from "./platform/platform.ts";
import { LinkClient } from "./room/link-client.ts";

/** One connection for several rooms. */
export interface Client extends RoomClient {}
export const Client: new (options?: ClientOptions) => Client = class extends LinkClient {
  constructor(options: ClientOptions = {}) {
    super(options, defaultPlatform(options.environment));
  }
};
