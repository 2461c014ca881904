import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, connect, type Server, type Socket } from "node:net";

/** Runs callbacks in order after a fixed delay; a timer per chunk would let chunks overtake each other. */
class DelayLine {
  readonly #delayMs: number;
  readonly #queue: { readonly dueMs: number; readonly run: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  push(run: () => void, extraMs = 0): void {
    this.#queue.push({ dueMs: performance.now() + this.#delayMs + extraMs, run });
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #arm(): void {
    const first = this.#queue[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, first.dueMs - performance.now()));
  }

  #run(): void {
    this.#timer = undefined;
    // Timers fire up to a millisecond late, never early by more than rounding.
    while (this.#queue[0] !== undefined && this.#queue[0].dueMs <= performance.now() + 0.1) this.#queue.shift()?.run();
    this.#arm();
  }
}

/**
 * A path with a round-trip time, on real sockets: TCP and UDP from one loopback address to another.
 *
 * The kernel completes a TCP handshake on loopback at once, so the first bytes of a connection wait one round trip more:
 * the time that SYN and SYN-ACK would have taken.
 */
export class DelayedPath {
  /** Of connections and UDP clients that come from now on; those there keep theirs. */
  rttMs: number;
  readonly #closers: (() => void)[] = [];

  constructor(rttMs: number) {
    this.rttMs = rttMs;
  }

  /** Listens at `from`, forwards to `to`. Resolves with the port that was taken. */
  async tcp(
    from: { readonly host: string; readonly port: number },
    to: { readonly host: string; readonly port: number },
  ): Promise<number> {
    const sockets = new Set<Socket>();
    const server: Server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ ...to, noDelay: true });
      const openedMs = performance.now();
      const handshakeMs = this.rttMs;
      const up = new DelayLine(this.rttMs / 2);
      const down = new DelayLine(this.rttMs / 2);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => sockets.delete(socket));
      }
      // What is sent before the emulated handshake's end would have been sent at its end.
      client.on("data", (chunk: Buffer) =>
        up.push(() => upstream.write(chunk), Math.max(0, openedMs + handshakeMs - performance.now())),
      );
      upstream.on("data", (chunk: Buffer) => down.push(() => client.write(chunk)));
      client.on("end", () => up.push(() => upstream.end()));
      upstream.on("end", () => down.push(() => client.end()));
      client.on("close", () => upstream.destroy());
      upstream.on("close", () => down.push(() => client.destroy()));
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(from.port, from.host, resolve));
    this.#closers.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : from.port;
  }

  /** Forwards datagrams from `from` to `to`, one upstream socket per client address, and back. */
  async udp(
    from: { readonly host: string; readonly port: number },
    to: { readonly host: string; readonly port: number },
  ): Promise<void> {
    const clients = new Map<
      string,
      { readonly upstream: UdpSocket; readonly up: DelayLine; readonly down: DelayLine }
    >();
    const front = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    front.on("message", (message, client) => {
      const key = `${client.address}:${client.port}`;
      let known = clients.get(key);
      if (known === undefined) {
        const upstream = createSocket("udp4");
        const down = new DelayLine(this.rttMs / 2);
        known = { upstream, up: new DelayLine(this.rttMs / 2), down };
        upstream.on("message", (answer) => down.push(() => front.send(answer, client.port, client.address, () => {})));
        upstream.on("error", () => {});
        clients.set(key, known);
      }
      const { upstream, up } = known;
      up.push(() => upstream.send(message, to.port, to.host, () => {}));
    });
    await new Promise<void>((resolve, reject) => front.once("error", reject).bind(from.port, from.host, resolve));
    front.on("error", () => {});
    this.#closers.push(() => {
      front.close();
      for (const { upstream, up, down } of clients.values()) {
        up.close();
        down.close();
        upstream.close();
      }
    });
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }
}
