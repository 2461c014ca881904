import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, fromJsonString, toBinary, toJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { createLocalBus } from "@parley/adapter-bus-local";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import { CryptoRandom, systemClock } from "@parley/adapter-system";
import { mintToken, TokenVerifier, type TokenClaims } from "@parley/domain-access";
import { subjects, type Bus } from "@parley/foundation";
import {
  ClientFrameSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  RoomEventDeliverySchema,
  ServerFrameSchema,
  type ClientFrame,
  type RoomCommand,
  type RoomEventSchema,
  type ServerFrame,
} from "@parley/protocol";
import { nullLogger } from "@parley/testing";
import { WebSocket } from "ws";
import { defaultGatewayConfig, type GatewayConfig } from "../src/config.ts";
import { createGateway, type Gateway } from "../src/gateway.ts";

const secret = "0123456789abcdef0123456789abcdef";

/** A real gateway on a real port, with a room's owner that joins everybody. */
export class GatewayBench implements AsyncDisposable {
  readonly bus: Bus = createLocalBus({ clock: systemClock, logger: nullLogger });
  readonly tokens = new TokenVerifier({ apps: [{ id: "app", key: "key", secret }] });
  readonly gateway: Gateway;
  readonly commands: RoomCommand[] = [];
  readonly gone: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<TestSocket>();

  private constructor(config: GatewayConfig) {
    this.gateway = createGateway(config, {
      bus: this.bus,
      clock: systemClock,
      random: new CryptoRandom(),
      logger: nullLogger,
      metrics: createPromMetrics({ processMetrics: undefined }),
      tokens: this.tokens,
      ownerId: "gw",
      serverVersion: "0.0.0",
    });
    this.#server = createServer((_request, response) => response.writeHead(404).end());
    this.#server.on("upgrade", (request, socket, head) => {
      if (!this.gateway.handleUpgrade(request, socket, head)) socket.destroy();
    });
    this.bus.subscribe("room.*.*.command", ({ payload, reply }) => {
      const command = fromBinary(RoomCommandSchema, payload);
      this.commands.push(command);
      const result = { case: "response" as const, value: { result: { case: "joined" as const, value: {} } } };
      reply?.(toBinary(RoomCommandReplySchema, create(RoomCommandReplySchema, { result })));
    });
    this.bus.subscribe("conn.gone", () => this.gone.push("gone"));
  }

  static async start(change: Partial<GatewayConfig> = {}): Promise<GatewayBench> {
    const bench = new GatewayBench({ ...defaultGatewayConfig, tickPeriodMs: 20, presencePeriodMs: 50, ...change });
    await new Promise<void>((resolve) => bench.#server.listen(0, "127.0.0.1", resolve));
    return bench;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/v1/connect`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  token(claims: Partial<TokenClaims> = {}): string {
    const exp = Math.ceil(Date.now() / 1000) + 600;
    return mintToken({ iss: "key", sub: "ann", publish: true, subscribe: true, exp, ...claims }, secret);
  }

  socket(protocol = "parley.v1.proto"): TestSocket {
    const socket = new TestSocket(this.url, protocol);
    this.#sockets.add(socket);
    return socket;
  }

  /** A socket whose connection stands. */
  async connected(claims: Partial<TokenClaims> = {}): Promise<TestSocket> {
    const socket = this.socket();
    socket.send({ frame: { case: "connect", value: { token: this.token(claims) } } });
    await socket.next("connected");
    return socket;
  }

  /** `how`: of a delivery that may be lost. */
  publish(
    connectionId: string,
    event: MessageInitShape<typeof RoomEventSchema>,
    appId = "app",
    how: { readonly lossy?: boolean; readonly newestOf?: string } = {},
  ): void {
    const delivery = create(RoomEventDeliverySchema, { appId, event, ...how });
    this.bus.publish(subjects.connectionEvent(connectionId), toBinary(RoomEventDeliverySchema, delivery));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    this.gateway.close();
    await this.bus.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type FrameCase = Exclude<ServerFrame["frame"]["case"], undefined>;
type FrameOf<Case extends FrameCase> = Extract<ServerFrame["frame"], { case: Case }>["value"];

/** A client that says what it likes. */
export class TestSocket {
  readonly ws: WebSocket;
  readonly frames: ServerFrame[] = [];
  closeCode: number | undefined;
  readonly #json: boolean;
  readonly #outbox: (string | Uint8Array)[] = [];
  #wake: (() => void)[] = [];
  #read = 0;

  constructor(url: string, protocol: string) {
    this.#json = protocol === "parley.v1.json";
    this.ws = new WebSocket(url, protocol, { maxPayload: 1 << 24 });
    this.ws.on("open", () => this.#flush());
    this.ws.on("message", (data: Buffer) => {
      this.frames.push(
        this.#json ? fromJsonString(ServerFrameSchema, data.toString()) : fromBinary(ServerFrameSchema, data),
      );
      this.#changed();
    });
    this.ws.on("error", () => undefined);
    this.ws.on("close", (code) => {
      this.closeCode = code;
      this.#changed();
    });
  }

  send(frame: MessageInitShape<typeof ClientFrameSchema>): void {
    const message: ClientFrame = create(ClientFrameSchema, frame);
    this.raw(this.#json ? toJsonString(ClientFrameSchema, message) : toBinary(ClientFrameSchema, message));
  }

  raw(data: string | Uint8Array): void {
    this.#outbox.push(data);
    if (this.ws.readyState === WebSocket.OPEN) this.#flush();
  }

  join(id: number, roomId: string): void {
    const method = { case: "room" as const, value: { roomId, method: { case: "join" as const, value: {} } } };
    this.send({ frame: { case: "request", value: { id: BigInt(id), method } } });
  }

  echo(id: number): void {
    this.send({ frame: { case: "request", value: { id: BigInt(id), method: { case: "echo", value: {} } } } });
  }

  /** The next frame that was not read, which must be of this kind. */
  async next<Case extends FrameCase>(kind: Case): Promise<FrameOf<Case>> {
    await this.#until(() => this.frames.length > this.#read || this.closeCode !== undefined);
    const frame = this.frames[this.#read]?.frame;
    this.#read += 1;
    if (frame?.case !== kind) throw new Error(`expected ${kind}, got ${frame?.case}, close ${this.closeCode}`);
    return frame.value as FrameOf<Case>;
  }

  /** Resolves with the first frame, or the end. */
  async anything(): Promise<void> {
    await this.#until(() => this.frames.length > 0 || this.closeCode !== undefined);
  }

  async closed(): Promise<number> {
    await this.#until(() => this.closeCode !== undefined);
    return this.closeCode ?? 0;
  }

  terminate(): void {
    this.ws.terminate();
  }

  #flush(): void {
    for (const data of this.#outbox.splice(0)) this.ws.send(data);
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadlineMs = Date.now() + 10_000;
    while (!condition()) {
      if (Date.now() > deadlineMs) throw new Error("nothing came for 10 s");
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        timer = setTimeout(resolve, 1_000);
      });
      clearTimeout(timer);
    }
  }
}
