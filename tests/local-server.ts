import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createLocalBus } from "@parley/adapter-bus-local";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import { CryptoRandom, systemClock } from "@parley/adapter-system";
import { mintToken, TokenVerifier, type TokenClaims } from "@parley/domain-access";
import type { Bus } from "@parley/foundation";
import { createGateway, defaultGatewayConfig, type Gateway, type GatewayConfig } from "@parley/service-gateway";
import { createSignaling, type Signaling } from "@parley/service-signaling";
import { nullLogger } from "@parley/testing";

const secret = "0123456789abcdef0123456789abcdef";

/** Gateway and signaling on a port of this process, without media nodes: state, data, and everything that needs no media. */
export class LocalServer implements AsyncDisposable {
  readonly tokens = new TokenVerifier({ apps: [{ id: "app", key: "key", secret }] });
  readonly #config: GatewayConfig;
  #bus: Bus | undefined;
  #signaling: Signaling | undefined;
  #gateway: Gateway | undefined;
  #server: Server | undefined;
  #port = 0;

  private constructor(config: GatewayConfig) {
    this.#config = config;
  }

  static async start(change: Partial<GatewayConfig> = {}): Promise<LocalServer> {
    const server = new LocalServer({ ...defaultGatewayConfig, ...change });
    await server.up();
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error("the server is down");
    return this.#gateway;
  }

  token(claims: Partial<TokenClaims> = {}): string {
    const exp = Math.ceil(Date.now() / 1000) + 600;
    return mintToken({ iss: "key", sub: "ann", publish: true, subscribe: true, exp, ...claims }, secret);
  }

  get bus(): Bus {
    if (this.#bus === undefined) throw new Error("the server is down");
    return this.#bus;
  }

  /** The same port as before, and no memory. */
  async up(): Promise<void> {
    const shared = { clock: systemClock, random: new CryptoRandom(), logger: nullLogger };
    const metrics = createPromMetrics({ processMetrics: undefined });
    const bus = createLocalBus(shared);
    const config = { ufragKey: new Uint8Array(16).fill(7) };
    this.#bus = bus;
    this.#signaling = createSignaling({ ...shared, metrics, bus, config });
    this.#signaling.start();
    const gateway = createGateway(this.#config, {
      ...shared,
      metrics,
      bus,
      tokens: this.tokens,
      ownerId: "gw",
      serverVersion: "0.0.0",
    });
    this.#gateway = gateway;
    const server = createServer((_request, response) => response.writeHead(404).end());
    server.on("upgrade", (request, socket, head) => {
      if (!gateway.handleUpgrade(request, socket, head)) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** As when the process is killed. */
  async down(): Promise<void> {
    this.#gateway?.close();
    this.#signaling?.close();
    await this.#bus?.close();
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server === undefined ? resolve(undefined) : this.#server.close(resolve)));
    this.#gateway = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}
