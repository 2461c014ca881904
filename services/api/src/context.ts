import type { RevocationStore, TokenVerifier } from "@parley/domain-access";
import type { Bus, Clock, Logger, Metrics, Random, TrustedProxies } from "@parley/foundation";
import type { AddressLimiter } from "./address-limiter.ts";
import type { NodeWatch } from "./node-watch.ts";
import type { Resources } from "./resources.ts";
import type { Revocations } from "./revocations.ts";
import type { RoomClient } from "./room-client.ts";

/** One file of the pages, ready to be served. */
export interface StaticFile {
  /** URL path, compared exactly. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The body compressed beforehand, the best one first. */
  readonly encoded?: readonly { readonly encoding: "br" | "gzip"; readonly body: Uint8Array }[];
  /** True: another content has another path, so that caches may keep this one for good. */
  readonly immutable?: boolean;
}

export interface ApiDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Cryptographic: resource ids come from it, and who knows one may end the session. */
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tokens: Pick<TokenVerifier, "verify" | "isRevoked" | "revoke" | "revocations">;
  /** Absent: revocations are forgotten with the process. */
  readonly revocationStore?: RevocationStore;
  readonly config: ApiConfig;
}

export interface ApiConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The origin that clients see, for Location; empty: Location is relative. */
  readonly publicUrl?: string;
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of reverse proxies whose word about the client's address is believed; absent: none. */
  readonly trustedProxies?: readonly string[];
  /** Paths of PEM files; they are read again when they change. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  readonly iceServers?: readonly IceServer[];
  readonly maxSdpBytes: number;
  /** New sessions per second from one address (an IPv6 /64 counts as one). */
  readonly joinsPerSecondPerAddress: number;
  /** New sessions are refused above this. */
  readonly maxSessions: number;
  readonly files?: { readonly assets: readonly StaticFile[]; readonly headers: Readonly<Record<string, string>> };
  /** Hands out tokens of this app to anybody: development only. */
  readonly devApp?: { readonly key: string; readonly secret: string };
}

/** A STUN or TURN server that clients are told of (RFC 9725 4.6). */
export interface IceServer {
  readonly url: string;
  readonly username?: string;
  readonly credential?: string;
}

/** What the routes share. */
export interface ApiContext extends ApiDeps {
  readonly rooms: RoomClient;
  readonly resources: Resources;
  readonly nodes: NodeWatch;
  readonly revocations: Revocations;
  readonly joins: AddressLimiter;
  readonly proxies: TrustedProxies;
  /** Everything else that clients ask: cheap, so ten times as often. */
  readonly requests: AddressLimiter;
  readonly state: { draining: boolean };
}
