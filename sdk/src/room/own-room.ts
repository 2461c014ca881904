import { sdkError } from "../api/error.ts";
import type { ConnectOptions, RoomOptions, TokenSource } from "../api/options.ts";
import type { ConnectableRoom } from "../api/room.ts";
import { linkOf } from "../connection-options.ts";
import type { Platform } from "../platform/platform.ts";
import { RoomSession } from "./room-session.ts";
import type { SignalLink } from "../signal/link.ts";
import { connectUrl, readToken, roomOfToken } from "../signal/token.ts";

export class OwnRoom extends RoomSession implements ConnectableRoom {
  readonly #ownLink: SignalLink;
  readonly #platform: Platform;
  #stopWatching: (() => void) | undefined;
  /** Grows with every connect and disconnect. */
  #calls = 0;

  constructor(options: RoomOptions, platform: Platform) {
    const link = linkOf(options, platform);
    super({ platform, link, options });
    this.#ownLink = link;
    this.#platform = platform;
    this.on("disconnected", () => this.#hangUp());
  }

  async connect(url: string, token: TokenSource, options: ConnectOptions = {}): Promise<void> {
    const address = connectUrl(url);
    if (address === undefined) throw sdkError("bad-argument", "The address is none.");
    if (this.state !== "disconnected") throw sdkError("bad-argument", "The room is joined already.");
    this.#calls += 1;
    const call = this.#calls;
    const first = await readToken(token).catch((error: unknown) => {
      throw sdkError("connect-failed", "The token function failed.", error);
    });
    if (call !== this.#calls) throw sdkError("cancelled");
    const roomId = options.room ?? roomOfToken(first);
    if (roomId === undefined) throw sdkError("bad-argument", "The token names no room; give one in the options.");
    // The first token is used for the first attempt; later ones are asked for.
    let unused: string | undefined = first;
    const source = typeof token === "string" ? token : (): string | Promise<string> => takeOr(token);
    const takeOr = (ask: () => string | Promise<string>): string | Promise<string> => {
      const value = unused;
      unused = undefined;
      return value ?? ask();
    };
    this.#stopWatching = this.#platform.onNetworkChange(() => this.#ownLink.probe());
    const connected = this.#ownLink.connect(address, source);
    // Either failing ends both; the join fails with the link's reason.
    connected.catch(() => undefined);
    const isRefused = this.#ownLink.state === "closed";
    try {
      await this.join(roomId, options);
    } catch (error) {
      // There was never a socket: that is the reason.
      if (isRefused) await connected;
      throw error;
    }
  }

  override disconnect(): Promise<void> {
    // A connect that waits for its token is over, too.
    this.#calls += 1;
    return super.disconnect();
  }

  /** The leave request, if any, has gone out before. */
  #hangUp(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#ownLink.close();
  }
}

/** A room on a given platform; tests have their own. */
export function roomOn(platform: Platform, options: RoomOptions = {}): ConnectableRoom {
  return new OwnRoom(options, platform);
}
