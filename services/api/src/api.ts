import type { Server } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { forgetfulRevocations } from "@parley/domain-access";
import { FenceGuard, randomId, TrustedProxies, type Timer } from "@parley/foundation";
import type { FastifyInstance } from "fastify";
import { AddressLimiter } from "./address-limiter.ts";
import { buildApp } from "./app.ts";
import { readCertificate, watchCertificate } from "./certificate-files.ts";
import type { ApiContext, ApiDeps } from "./context.ts";
import { NodeWatch } from "./node-watch.ts";
import { Resources } from "./resources.ts";
import { Revocations } from "./revocations.ts";
import { RoomClient } from "./room-client.ts";

/** The HTTP interface of one process. */
export interface Api {
  /** Listens. Rejects when the address cannot be had. */
  start(): Promise<void>;
  /** For others that share the port (the gateway's WebSocket upgrades). */
  readonly server: Server | HttpsServer;
  /** After `start`: where it listens, as a URL. */
  readonly url: string;
  readonly sessions: number;
  /** From now on new sessions are refused and `/healthz/ready` says so; those there go on. */
  drain(): void;
  /** Ends the sessions and closes every connection. */
  close(): Promise<void>;
}

/** @throws when the certificate files cannot be used. */
export function createApi(deps: ApiDeps): Api {
  return new HttpApi(deps);
}

/** Requests that are not about joining cost a look-up: ten times as many are fine. */
const requestsPerJoin = 10;
/** A connection that is still busy after this is cut. */
const closeGraceMs = 500;

class HttpApi implements Api {
  readonly #context: ApiContext;
  readonly #app: FastifyInstance;
  #certificateWatch: Timer | undefined;

  constructor(deps: ApiDeps) {
    const { bus, clock, random, config } = deps;
    const ownerId = `api-${randomId(random)}`;
    const fences = new FenceGuard();
    const store = deps.revocationStore ?? forgetfulRevocations;
    this.#context = {
      ...deps,
      revocations: new Revocations({ ...deps, store, onRevoked: () => this.#endRevoked() }),
      rooms: new RoomClient({ bus, clock, ownerId, fences }),
      resources: new Resources({ bus, clock, ownerId, fences }),
      nodes: new NodeWatch(bus, clock),
      joins: new AddressLimiter(config.joinsPerSecondPerAddress),
      requests: new AddressLimiter(config.joinsPerSecondPerAddress * requestsPerJoin),
      proxies: new TrustedProxies(config.trustedProxies ?? []),
      state: { draining: false },
    };
    const certificate = config.tls === undefined ? undefined : readCertificate(config.tls);
    this.#app = buildApp(this.#context, certificate);
    if (config.tls !== undefined && certificate !== undefined) {
      this.#certificateWatch = watchCertificate(config.tls, certificate, deps, (fresh) => {
        (this.#app.server as unknown as HttpsServer).setSecureContext({ ...fresh });
        deps.logger.info("certificate reloaded");
      });
    }
    const sessions = deps.metrics.gauge({
      name: "parley_api_sessions",
      help: "WHIP and WHEP sessions of this process.",
    });
    deps.metrics.onCollect(() => sessions.set(this.#context.resources.size));
  }

  get server(): Server | HttpsServer {
    return this.#app.server;
  }

  get url(): string {
    const { address, family, port } = this.#app.server.address() as AddressInfo;
    const host = family === "IPv6" ? `[${address}]` : address;
    return `${this.#context.config.tls === undefined ? "http" : "https"}://${host}:${port}`;
  }

  get sessions(): number {
    return this.#context.resources.size;
  }

  async start(): Promise<void> {
    const { host, port } = this.#context.config;
    await this.#context.revocations.start();
    await this.#app.listen({ host, port });
  }

  drain(): void {
    this.#context.state.draining = true;
  }

  async close(): Promise<void> {
    this.drain();
    this.#certificateWatch?.cancel();
    for (const { appId, id } of this.#context.resources.close()) this.#context.rooms.gone(appId, id);
    const cut = this.#context.clock.after(closeGraceMs, () => this.#app.server.closeAllConnections());
    await this.#app.close();
    cut.cancel();
    await this.#context.revocations.close();
    this.#context.nodes.close();
  }

  /** Sessions whose token was taken back end at once. */
  #endRevoked(): void {
    const { resources, rooms, tokens } = this.#context;
    for (const { appId, id } of resources.endWhere(({ token }) => tokens.isRevoked(token), "token-revoked")) {
      rooms.gone(appId, id);
    }
  }
}
