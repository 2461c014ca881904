import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { SeededRandom } from "@parley/testing";

interface Flow {
  readonly upstream: UdpSocket;
  isCut: boolean;
}

/**
 * A network between browsers and a server on loopback addresses: TCP and UDP from one address to another, with a part of the
 * datagrams lost, and cut so that everything that goes over it now is dead while what comes anew passes, as when a telephone leaves
 * the Wi-Fi for the mobile network.
 */
export class NetworkPath implements AsyncDisposable {
  /** Of the datagrams, each way. */
  lossRatio = 0;
  /** True: nothing passes, and nobody is told. */
  isDown = false;
  /** The same for datagrams only. */
  isMediaDown = false;
  readonly #random = new SeededRandom(20_261_121);
  readonly #flows = new Map<string, Flow>();
  readonly #connections = new Set<{ readonly client: Socket; readonly upstream: Socket; isCut: boolean }>();
  readonly #closers: (() => void)[] = [];

  /** How many ways the browsers' datagrams have taken so far, by their own address and port. */
  get udpFlows(): number {
    return this.#flows.size;
  }

  /** Relays datagrams; one socket of ours per address of a client, so the server sees them as different. */
  async udp(from: { readonly host: string; readonly port: number }, toHost: string): Promise<void> {
    const front = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    front.on("message", (message, client) => {
      const key = `${client.address}:${client.port}`;
      let flow = this.#flows.get(key);
      if (flow === undefined) {
        const upstream = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
        const opened: Flow = { upstream, isCut: false };
        upstream.on("message", (answer) => {
          if (this.#passes(opened)) front.send(answer, client.port, client.address, () => undefined);
        });
        upstream.on("error", () => undefined);
        this.#flows.set(key, (flow = opened));
      }
      if (this.#passes(flow)) flow.upstream.send(message, from.port, toHost, () => undefined);
    });
    await new Promise<void>((resolve, reject) => front.once("error", reject).bind(from.port, from.host, resolve));
    front.on("error", () => undefined);
    this.#closers.push(() => {
      front.close();
      for (const { upstream } of this.#flows.values()) upstream.close();
    });
  }

  /** Resolves with the port that was taken. */
  async tcp(host: string, to: { readonly host: string; readonly port: number }): Promise<number> {
    const server: Server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ ...to, noDelay: true });
      const connection = { client, upstream, isCut: this.isDown };
      this.#connections.add(connection);
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on("data", (chunk: Buffer) => {
          if (!connection.isCut && !this.isDown) other.write(chunk);
        });
        one.on("error", () => one.destroy());
        one.on("close", () => {
          this.#connections.delete(connection);
          // A dead way brings no news of its end either.
          if (!connection.isCut) other.destroy();
        });
      }
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
    this.#closers.push(() => {
      server.close();
      for (const { client, upstream } of this.#connections) {
        client.destroy();
        upstream.destroy();
      }
    });
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** The datagrams' way is dead from here on, without a word; what comes from another port passes. */
  cutMedia(): void {
    for (const flow of this.#flows.values()) flow.isCut = true;
  }

  /** Everything that goes this way now is dead from here on, without a word; what comes anew passes. */
  cut(): void {
    this.cutMedia();
    for (const connection of this.#connections) connection.isCut = true;
  }

  #passes(flow: Flow): boolean {
    return (
      !this.isDown && !this.isMediaDown && !flow.isCut && (this.lossRatio === 0 || !this.#random.chance(this.lossRatio))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.splice(0)) close();
  }
}
