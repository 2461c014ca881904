import type { VerifiedToken } from "@parley/domain-access";
import type { Connection, ConnectionInput, Delivery } from "@parley/domain-connection";
import { subjects, type Subscription } from "@parley/foundation";
import { parleyError } from "@parley/protocol";
import type { ClientSocket } from "./client-socket.ts";
import type { Deliveries } from "./deliveries.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayDeps } from "./ports.ts";
import { RoomCommands } from "./room-commands.ts";

/** A connection with what it does in the world: its socket of the moment, its commands, its subscription. */
export class HeldConnection {
  readonly connection: Connection;
  readonly #deps: GatewayDeps;
  readonly #metrics: GatewayMetrics;
  readonly #onEnded: (held: HeldConnection) => void;
  readonly #commands: RoomCommands;
  readonly #subscription: Subscription;
  #token: VerifiedToken;
  #socket: ClientSocket | undefined;
  #localIp = "";

  constructor(options: {
    readonly connection: Connection;
    readonly token: VerifiedToken;
    readonly deps: GatewayDeps;
    readonly metrics: GatewayMetrics;
    readonly deliveries: Deliveries;
    readonly onEnded: (held: HeldConnection) => void;
  }) {
    this.connection = options.connection;
    this.#token = options.token;
    this.#deps = options.deps;
    this.#metrics = options.metrics;
    this.#onEnded = options.onEnded;
    const { bus, clock, logger } = options.deps;
    const { connectionId } = options.connection;
    this.#commands = new RoomCommands({
      bus,
      clock,
      logger,
      connectionId,
      ownerId: options.deps.ownerId,
      fences: options.deliveries.fences,
      localIp: () => this.#localIp,
      onAnswer: (requestId, result) => {
        this.#apply({ type: "answered", requestId, result, bufferedBytes: this.#bufferedBytes });
      },
    });
    this.#subscription = bus.subscribe(subjects.connectionEvent(connectionId), ({ payload }) => {
      const delivery = options.deliveries.read(payload);
      if (delivery !== undefined) this.deliver(delivery);
    });
  }

  deliver(delivery: Delivery): void {
    const { appId, connectionId } = this.connection;
    if (delivery.appId !== appId) {
      this.#deps.logger.error("a delivery that is not for this connection's app was dropped", { connectionId });
      return;
    }
    this.#apply({ type: "event", delivery, bufferedBytes: this.#bufferedBytes });
  }

  get token(): VerifiedToken {
    return this.#token;
  }

  get #bufferedBytes(): number {
    return this.#socket?.bufferedBytes ?? 0;
  }

  /** From now on `socket` is this connection's; an older one is closed. */
  attach(socket: ClientSocket, token: VerifiedToken, localIp: string, resumeAfter: number | undefined): void {
    // The old socket is told before the new one takes its place.
    if (this.#socket !== undefined) this.#apply({ type: "replaced" });
    this.#token = token;
    this.#localIp = localIp;
    this.#socket = socket;
    this.#apply({
      type: "attached",
      resumeAfter,
      serverTimeUnixMs: Math.round(this.#deps.clock.unixMs()),
      expiry: expiryOf(token, this.#deps),
    });
  }

  frame(socket: ClientSocket, frame: Extract<ConnectionInput, { type: "frame" }>["frame"]): void {
    if (socket === this.#socket) this.#apply({ type: "frame", frame, bufferedBytes: socket.bufferedBytes });
  }

  /** Anything else that concerns `socket`, ignored when it is no longer ours. */
  fromSocket(socket: ClientSocket, input: ConnectionInput): void {
    if (socket === this.#socket) this.#apply(input);
  }

  socketClosed(socket: ClientSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#apply({ type: "socket-closed" });
  }

  tick(): void {
    this.#apply({ type: "tick" });
  }

  endIfRevoked(): void {
    if (this.#deps.tokens.isRevoked(this.#token)) this.#apply({ type: "revoked", error: parleyError("token-revoked") });
  }

  drain(retryAfterMs: number): void {
    this.#apply({ type: "drain", retryAfterMs });
  }

  /** Ends it if no socket is attached. */
  giveUp(): void {
    this.#apply({ type: "given-up" });
  }

  /** Frees what it holds; nothing is told to anybody. */
  release(): void {
    this.#subscription.unsubscribe();
    this.#commands.close();
  }

  #apply(input: ConnectionInput): void {
    const nowMs = this.#deps.clock.monoMs();
    for (const output of this.connection.handle(input, nowMs)) {
      switch (output.type) {
        case "send":
          this.#metrics.framesSent.add(1);
          this.#socket?.send(output.bytes);
          break;
        case "close-socket":
          this.#socket?.close(output.code, output.reason);
          this.#socket = undefined;
          break;
        case "command":
          this.#metrics.commands.add(1);
          this.#commands.send({ ...output, token: this.#token });
          break;
        case "verify-token":
          this.#refresh(output.token);
          break;
        case "dropped-lossy":
          this.#metrics.droppedLossy.add(1);
          break;
        case "ended":
          this.release();
          this.#onEnded(this);
          break;
      }
    }
  }

  #refresh(fresh: string): void {
    const verdict = this.#deps.tokens.verify(fresh, this.#deps.clock.unixMs());
    if (!verdict.ok) {
      this.#apply({ type: "token-refused", error: verdict.error });
      return;
    }
    const { appId, subject } = verdict.value;
    if (appId !== this.#token.appId || subject !== this.#token.subject) {
      this.#apply({ type: "token-refused", error: parleyError("wrong-app", "The token is of another app or user.") });
      return;
    }
    this.#token = verdict.value;
    this.#apply({ type: "token-refreshed", expiry: expiryOf(verdict.value, this.#deps) });
  }
}

/** When a token runs out, in both times; undefined: never. */
function expiryOf(
  { expiresAtUnixMs }: VerifiedToken,
  { clock }: Pick<GatewayDeps, "clock">,
): { readonly atMs: number; readonly atUnixMs: number } | undefined {
  if (expiresAtUnixMs === 0) return undefined;
  return { atMs: clock.monoMs() + (expiresAtUnixMs - clock.unixMs()), atUnixMs: expiresAtUnixMs };
}
