import type { ClientEvents, RoomClient } from "../api/client.ts";
import { TypedEmitter } from "../api/emitter.ts";
import { sdkError } from "../api/error.ts";
import type { ClientOptions, JoinOptions, MediaOptions, TokenSource } from "../api/options.ts";
import type { JoinedRoom } from "../api/room.ts";
import type { ConnectionState } from "../api/values.ts";
import { linkOf } from "../connection-options.ts";
import type { Platform } from "../platform/platform.ts";
import { RoomSession } from "./room-session.ts";
import type { LinkState, SignalLink } from "../signal/link.ts";
import { connectUrl } from "../signal/token.ts";

const stateWords: Readonly<Record<LinkState, ConnectionState>> = {
  idle: "disconnected",
  connecting: "connecting",
  connected: "connected",
  reconnecting: "reconnecting",
  closed: "disconnected",
};

export class LinkClient extends TypedEmitter<ClientEvents> implements RoomClient {
  readonly #platform: Platform;
  readonly #link: SignalLink;
  readonly #rooms = new Map<string, RoomSession>();
  readonly #stopWatching: () => void;
  #userId: string | undefined;

  constructor(options: ClientOptions, platform: Platform) {
    super();
    this.#platform = platform;
    this.#link = linkOf(options, platform);
    this.#stopWatching = platform.onNetworkChange(() => this.#link.probe());
    this.#link.on("state", (state) => this.emit("connectionStateChanged", stateWords[state]));
    this.#link.on("established", ({ userId }) => {
      this.#userId = userId;
    });
    this.#link.on("closed", (error) => this.emit("disconnected", error));
  }

  get state(): ConnectionState {
    return stateWords[this.#link.state];
  }
  get userId(): string | undefined {
    return this.#userId;
  }
  get rooms(): ReadonlyMap<string, JoinedRoom> {
    return this.#rooms;
  }

  connect(url: string, token: TokenSource): Promise<void> {
    const address = connectUrl(url);
    if (address === undefined) return Promise.reject(sdkError("bad-argument", "The address is none."));
    return this.#link.connect(address, token);
  }

  async join(roomId: string, options: JoinOptions & MediaOptions = {}): Promise<JoinedRoom> {
    if (this.#rooms.has(roomId)) throw sdkError("bad-argument", "The room is joined already.");
    const room = new RoomSession({
      platform: this.#platform,
      link: this.#link,
      options,
      onMoved: (from, to) => {
        if (this.#rooms.get(from) === room) this.#rooms.delete(from);
        this.#rooms.set(to, room);
      },
    });
    this.#rooms.set(roomId, room);
    room.on("disconnected", () => {
      for (const [id, held] of this.#rooms) if (held === room) this.#rooms.delete(id);
    });
    await room.join(roomId, options);
    return room;
  }

  async disconnect(): Promise<void> {
    await Promise.all([...this.#rooms.values()].map((room) => room.disconnect()));
    this.#stopWatching();
    this.#link.close();
  }
}

/** A client on a given platform; tests have their own. */
export function clientOn(platform: Platform, options: ClientOptions = {}): RoomClient {
  return new LinkClient(options, platform);
}
