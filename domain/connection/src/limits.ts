import { networkOf } from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";

export interface SocketLimits {
  /** Open sockets in all: what the machine's memory and descriptors allow. */
  readonly maxSockets: number;
  /** Sockets of one address that have not shown a token yet. An office behind one address joins a meeting within seconds. */
  readonly maxUnauthenticatedPerAddress: number;
  readonly maxPerAddress: number;
  readonly maxPerUser: number;
}

export const defaultSocketLimits: SocketLimits = {
  maxSockets: 50_000,
  maxUnauthenticatedPerAddress: 200,
  maxPerAddress: 2_000,
  maxPerUser: 20,
};

/** Counts sockets by address (an IPv6 /64 counts as one) and user. Every admit and authenticate is paired with a release of the same object. */
export class SocketCounts {
  readonly #limits: SocketLimits;
  readonly #perAddress = new Map<string, number>();
  readonly #unauthenticated = new Map<string, number>();
  readonly #perUser = new Map<string, number>();
  #total = 0;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** A new socket: its ticket, or why not. */
  admit(ip: string): SocketTicket | ParleyError {
    const address = networkOf(ip);
    const { maxSockets, maxPerAddress, maxUnauthenticatedPerAddress } = this.#limits;
    if (
      this.#total >= maxSockets ||
      (this.#perAddress.get(address) ?? 0) >= maxPerAddress ||
      (this.#unauthenticated.get(address) ?? 0) >= maxUnauthenticatedPerAddress
    ) {
      return parleyError("too-many-connections");
    }
    this.#total += 1;
    change(this.#perAddress, address, 1);
    change(this.#unauthenticated, address, 1);
    let user: string | undefined;
    let released = false;
    return {
      authenticate: (appId, userId) => {
        const key = JSON.stringify([appId, userId]);
        if (released || user !== undefined) return undefined;
        if ((this.#perUser.get(key) ?? 0) >= this.#limits.maxPerUser) return parleyError("too-many-connections");
        user = key;
        change(this.#perUser, key, 1);
        change(this.#unauthenticated, address, -1);
        return undefined;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#total -= 1;
        change(this.#perAddress, address, -1);
        if (user === undefined) change(this.#unauthenticated, address, -1);
        else change(this.#perUser, user, -1);
      },
    };
  }
}

export interface SocketTicket {
  /** The socket's user is known; an error when the user has too many. */
  authenticate(appId: string, userId: string): ParleyError | undefined;
  /** The socket is closed. Twice does nothing. */
  release(): void;
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
