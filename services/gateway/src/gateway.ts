import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { decodeRevocations } from "@parley/domain-access";
import {
  Admission,
  chooseSubprotocol,
  decodeClientFrame,
  encodeServerFrame,
  SocketCounts,
  subprotocols,
  TokenBucket,
  toWireError,
  type AdmissionOutput,
  type SocketTicket,
} from "@parley/domain-connection";
import { FenceGuard, subjects, TrustedProxies, type Subscription, type Timer } from "@parley/foundation";
import {
  closeCodes,
  errorBody,
  errorTable,
  parleyError,
  type CloseCodeName,
  type Connect,
  type ParleyError,
} from "@parley/protocol";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { ClientSocket } from "./client-socket.ts";
import { ConnectionRegistry } from "./connection-registry.ts";
import { Deliveries } from "./deliveries.ts";
import type { GatewayConfig } from "./config.ts";
import { gatewayMetrics, type GatewayMetrics } from "./gateway-metrics.ts";
import type { HeldConnection } from "./held-connection.ts";
import type { GatewayDeps } from "./ports.ts";
import { announcePresence } from "./presence.ts";
import { refuseUpgrade } from "./refuse-upgrade.ts";

/**
 * The WebSocket library reads messages up to this many times our limit, so that a client which sends one gets a numbered error. Beyond it the socket
 * is closed with 1009 at once.
 */
const readableFactor = 8;

export interface Gateway {
  /** Takes the socket if the request is for the gateway's path; false: it is somebody else's. For the `upgrade` event of an HTTP server. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Refuses new sockets and sends the others away, to come back spread over time. */
  drain(): void;
  /** Ends everything. Connections are not told as gone: their owners resume elsewhere or time out. */
  close(): void;
  readonly socketCount: number;
  readonly connectionCount: number;
}

/** Makes a gateway. It owns its timers and sockets until `close`; the HTTP server and the bus stay the caller's. */
export function createGateway(config: GatewayConfig, deps: GatewayDeps): Gateway {
  return new WebSocketGateway(config, deps);
}

/** What may be under way when we close; from who goes on after that nothing more is read. */
const maxFramesAfterClose = 64;

/** One socket until it is closed. */
interface Visitor {
  readonly socket: ClientSocket;
  readonly admission: Admission;
  readonly ticket: SocketTicket;
  readonly localIp: string;
  readonly frames: TokenBucket;
  framesAfterClose: number;
  held: HeldConnection | undefined;
}

class WebSocketGateway implements Gateway {
  readonly #config: GatewayConfig;
  readonly #deps: GatewayDeps;
  readonly #server: WebSocketServer;
  readonly #counts: SocketCounts;
  readonly #proxies: TrustedProxies;
  readonly #metrics: GatewayMetrics;
  readonly #visitors = new Set<Visitor>();
  readonly #connections: ConnectionRegistry;
  readonly #timers: readonly Timer[];
  readonly #deliveries: Deliveries;
  readonly #events: Subscription;
  readonly #revocations: Subscription;
  #state: "open" | "draining" | "closed" = "open";

  constructor(config: GatewayConfig, deps: GatewayDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#counts = new SocketCounts(config.limits);
    this.#proxies = new TrustedProxies(config.trustedProxies);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: true,
      perMessageDeflate: false,
      // Ours look at what waits for the client: see ClientSocket.pong.
      autoPong: false,
      maxPayload: config.policy.maxFrameBytes * readableFactor,
      handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
    });
    this.#metrics = gatewayMetrics(deps.metrics, () => ({
      sockets: this.socketCount,
      connections: this.connectionCount,
    }));
    this.#timers = [
      deps.clock.every(config.tickPeriodMs, () => this.#tick()),
      deps.clock.every(config.presencePeriodMs, () =>
        announcePresence(deps.bus, deps.ownerId, this.#connections.values()),
      ),
    ];
    this.#deliveries = new Deliveries(new FenceGuard(), deps.logger);
    this.#connections = new ConnectionRegistry({
      config,
      deps,
      metrics: this.#metrics,
      deliveries: this.#deliveries,
    });
    this.#events = deps.bus.subscribe(subjects.ownerEvent(deps.ownerId), ({ payload }) => this.#deliver(payload));
    this.#revocations = deps.bus.subscribe(subjects.accessRevocations, ({ payload }) => this.#revoked(payload));
    // What was revoked before we started.
    deps.bus.publish(subjects.accessRevocationsWanted, new Uint8Array());
  }

  get socketCount(): number {
    return this.#counts.total;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  handleUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): boolean {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path !== this.#config.path) return false;
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    const subprotocol = chooseSubprotocol(offered);
    if (subprotocol === undefined) {
      const known = Object.keys(subprotocols).join(", ");
      this.#refuseUpgrade(stream, parleyError("unknown-subprotocol", `Known: ${known}.`));
      return true;
    }
    if (this.#state !== "open") {
      this.#refuseUpgrade(stream, parleyError("draining"));
      return true;
    }
    const client = this.#proxies.clientAddress(request.socket.remoteAddress ?? "", request.headers);
    const ticket = this.#counts.admit(client);
    if ("name" in ticket) {
      this.#refuseUpgrade(stream, ticket);
      return true;
    }
    // Also reached when the handshake itself is refused and no WebSocket comes to be.
    stream.once("close", () => ticket.release());
    const localIp = plainIp(request.socket.localAddress ?? "");
    this.#server.handleUpgrade(request, stream, head, (ws) => {
      const { policy } = this.#config;
      const nowMs = this.#deps.clock.monoMs();
      const socket = new ClientSocket(ws, stream, subprotocols[subprotocol], this.#deps.clock);
      this.#welcome(ws, {
        socket,
        admission: new Admission(policy, nowMs),
        ticket,
        localIp,
        frames: new TokenBucket(policy.framesPerSecond, policy.frameBurst, nowMs),
        framesAfterClose: 0,
        held: undefined,
      });
    });
    return true;
  }

  drain(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    for (const held of this.#connections.all()) {
      held.drain(Math.round((this.#deps.random.uint32() / 2 ** 32) * this.#config.drainSpreadMs));
    }
    for (const visitor of [...this.#visitors]) {
      if (visitor.held === undefined) this.#refuse(visitor, parleyError("draining"));
    }
  }

  close(): void {
    this.#state = "closed";
    for (const timer of this.#timers) timer.cancel();
    this.#events.unsubscribe();
    this.#revocations.unsubscribe();
    this.#connections.release();
    for (const ws of this.#server.clients) ws.terminate();
    this.#server.close();
  }

  #refuseUpgrade(stream: Duplex, error: ParleyError): void {
    this.#metrics.refused.add(1, [error.name]);
    const { httpStatus } = errorTable[error.name];
    const body = JSON.stringify(errorBody(error));
    refuseUpgrade(
      stream,
      this.#deps.clock,
      `HTTP/1.1 ${httpStatus} ${error.name}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  #welcome(ws: WebSocket, visitor: Visitor): void {
    this.#visitors.add(visitor);
    ws.on("message", (data, isBinary) => this.#onMessage(visitor, data, isBinary));
    ws.on("ping", (data: Buffer) => {
      if (this.#takesFrame(visitor)) visitor.socket.pong(data, this.#config.policy.lossyWatermarkBytes);
    });
    // Broken frames and oversized messages: the library closes the socket with the code of RFC 6455 7.4.1 after this.
    ws.on("error", () => this.#metrics.refused.add(1, ["bad-frame"]));
    ws.on("close", () => {
      this.#visitors.delete(visitor);
      visitor.ticket.release();
      visitor.held?.socketClosed(visitor.socket);
    });
  }

  #onMessage(visitor: Visitor, data: RawData, isBinary: boolean): void {
    if (!this.#takesFrame(visitor)) return;
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (bytes.length > this.#config.policy.maxFrameBytes) {
      this.#refuse(visitor, parleyError("frame-too-large", `At most ${this.#config.policy.maxFrameBytes} bytes.`));
      return;
    }
    const content = isBinary ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    const frame = decodeClientFrame(content, visitor.socket.encoding);
    if (!frame.ok) {
      this.#refuse(visitor, frame.error);
      return;
    }
    if (visitor.held !== undefined) visitor.held.frame(visitor.socket, frame.value);
    else
      this.#admit(visitor, visitor.admission.handle({ type: "frame", frame: frame.value }, this.#deps.clock.monoMs()));
  }

  /** Counts a frame; false: it is not to be looked at. */
  #takesFrame(visitor: Visitor): boolean {
    this.#metrics.framesReceived.add(1);
    if (visitor.socket.isClosed) {
      visitor.framesAfterClose += 1;
      if (visitor.framesAfterClose > maxFramesAfterClose) visitor.socket.stopReading();
      return false;
    }
    if (visitor.frames.take(this.#deps.clock.monoMs())) return true;
    this.#metrics.refused.add(1, ["rate-limited"]);
    if (visitor.held === undefined) this.#dismiss(visitor, parleyError("rate-limited", "Too many frames."));
    else visitor.held.fromSocket(visitor.socket, { type: "flooded" });
    return false;
  }

  #admit(visitor: Visitor, outputs: readonly AdmissionOutput[]): void {
    for (const output of outputs) {
      switch (output.type) {
        case "verify":
          this.#connect(visitor, output.connect);
          break;
        case "frame":
          visitor.held?.frame(visitor.socket, output.frame);
          break;
        case "refuse":
          this.#refuse(visitor, output.error);
          break;
      }
    }
  }

  #connect(visitor: Visitor, connect: Connect): void {
    if (this.#state !== "open") {
      this.#refuse(visitor, parleyError("draining"));
      return;
    }
    const verdict = this.#deps.tokens.verify(connect.token, this.#deps.clock.unixMs());
    if (!verdict.ok) {
      this.#refuse(visitor, verdict.error);
      return;
    }
    const token = verdict.value;
    const tooMany = visitor.ticket.authenticate(token.appId, token.subject);
    if (tooMany !== undefined) {
      this.#refuse(visitor, tooMany);
      return;
    }
    const resumed = this.#connections.findResumable(connect, token);
    if (connect.resume !== undefined) this.#metrics.resumes.add(1, [resumed === undefined ? "refused" : "resumed"]);
    visitor.held = resumed ?? this.#connections.open(token);
    const resumeAfter = resumed === undefined ? undefined : Number(connect.resume?.lastSeq ?? 0n);
    visitor.held.attach(visitor.socket, token, visitor.localIp, resumeAfter);
    this.#admit(visitor, visitor.admission.handle({ type: "accepted" }, this.#deps.clock.monoMs()));
  }

  /** Tells a socket why, with a numbered error, and closes it. A connection it belonged to ends. */
  #refuse(visitor: Visitor, error: ParleyError): void {
    this.#metrics.refused.add(1, [error.name]);
    if (visitor.held !== undefined) {
      visitor.held.fromSocket(visitor.socket, { type: "violation", error });
      return;
    }
    this.#dismiss(visitor, error);
  }

  #dismiss(visitor: Visitor, error: ParleyError): void {
    const close = closeFor(error);
    const reconnect = close === "later" || close === "resume";
    const value = { error: toWireError(error), reconnect, retryAfterMs: close === "later" ? refusedRetryAfterMs : 0 };
    visitor.socket.send(encodeServerFrame({ frame: { case: "disconnect", value } }));
    visitor.socket.close(closeCodes[close].code, error.name);
  }

  /** What a room tells several connections of ours at once. */
  #deliver(payload: Uint8Array): void {
    const delivery = this.#deliveries.read(payload);
    for (const connectionId of delivery?.connectionIds ?? []) {
      if (delivery !== undefined) this.#connections.get(connectionId)?.deliver(delivery);
    }
  }

  /** Who has a revoked token is told and gone at once, also when waiting for a resume. */
  #revoked(payload: Uint8Array): void {
    const { clock, tokens } = this.#deps;
    const all = decodeRevocations(payload) ?? [];
    for (const kept of all) tokens.revoke(kept, clock.unixMs());
    if (all.length > 0) for (const held of this.#connections.all()) held.endIfRevoked();
  }

  #tick(): void {
    const nowMs = this.#deps.clock.monoMs();
    for (const visitor of this.#visitors) {
      if (visitor.held === undefined) this.#admit(visitor, visitor.admission.handle({ type: "tick" }, nowMs));
    }
    this.#connections.tick();
  }
}

/** Advice to those who were refused because of load. */
const refusedRetryAfterMs = 1_000;

function closeFor(error: ParleyError): CloseCodeName {
  switch (errorTable[error.name].retry) {
    case "later":
    case "changed":
      return "later";
    case "new-token":
      return "new-token";
    case "never":
    case "new-session":
      return "ended";
  }
}

/** IPv4 in IPv6 (RFC 4291 2.5.5.2) as plain IPv4. */
function plainIp(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}
