import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/**
 * A relay between one client and the server, as anybody on the road of their packets has: it sees all, can say things to the server that
 * seem to come from the client, and can say everything once more.
 */
export class UdpRelay {
  readonly port: number;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #target: { readonly ip: string; readonly port: number };
  #clientPort = 0;
  /** Sees what the client sends, before it is passed on; what it returns is sent instead. */
  onToServer: (packet: Buffer) => readonly Buffer[] = (packet) => [packet];
  /** Valid checks (STUN binding requests) of the client, newest last. */
  readonly checks: Buffer[] = [];
  /** DTLS records of the client. */
  readonly handshake: Buffer[] = [];

  private constructor(client: Socket, server: Socket, target: { readonly ip: string; readonly port: number }) {
    this.#client = client;
    this.#server = server;
    this.#target = target;
    this.port = client.address().port;
    client.on("message", (packet, { port }) => {
      this.#clientPort = port;
      if (packet[0] === 0 && packet[1] === 1) this.checks.push(packet);
      else if ((packet[0] ?? 0) >= 20 && (packet[0] ?? 0) <= 63) this.handshake.push(packet);
      for (const one of this.onToServer(packet)) this.inject(one);
    });
    server.on("message", (packet) => {
      if (this.#clientPort !== 0) client.send(packet, this.#clientPort, "127.0.0.1");
    });
  }

  static async start(target: { readonly ip: string; readonly port: number }): Promise<UdpRelay> {
    return new UdpRelay(await boundSocket(), await boundSocket(), target);
  }

  /** Sends to the server from the client's address as the server sees it. */
  inject(packet: Uint8Array): void {
    this.#server.send(packet, this.#target.port, this.#target.ip);
  }

  close(): void {
    this.#client.close();
    this.#server.close();
  }
}

export async function boundSocket(): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  socket.on("error", () => undefined);
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** Sends `count` datagrams as fast as others still get their turn: 100 in one go, then everybody else. */
export async function flood(
  socket: Socket,
  port: number,
  count: number,
  make: (index: number) => Uint8Array,
): Promise<void> {
  for (let index = 0; index < count;) {
    for (let burst = 0; burst < 100 && index < count; burst += 1, index += 1)
      socket.send(make(index), port, "127.0.0.1");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
