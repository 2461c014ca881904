import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { until } from "@parley/testing";
import {
  ClientFrameSchema,
  ServerFrameSchema,
  type Connected,
  type Disconnect,
  type RoomEvent,
  type RoomRequestSchema,
  type RoomResponse,
} from "@parley/protocol";
import { WebSocket } from "ws";

type Init<S> = Exclude<S, { $typeName: string }>;
export type Method = NonNullable<Init<MessageInitShape<typeof RoomRequestSchema>>["method"]>;

/** What came back for a request: the number of the error, or 0 and the response. */
export interface Reply {
  readonly number: number;
  readonly response: RoomResponse | undefined;
}

/** A client of the gateway that says what it likes, and keeps what it hears. */
export class HostileClient {
  readonly ws: WebSocket;
  readonly events: RoomEvent[] = [];
  connected: Connected | undefined;
  disconnect: Disconnect | undefined;
  closeCode: number | undefined;
  readonly #replies = new Map<number, Reply>();
  #nextId = 1;

  private constructor(url: string) {
    this.ws = new WebSocket(`${url.replace("http", "ws")}/v1/connect`, "parley.v1.proto", { maxPayload: 1 << 26 });
    this.ws.on("message", (data: Buffer) => this.#hear(data));
    this.ws.on("error", () => undefined);
    this.ws.on("close", (code) => (this.closeCode = code));
  }

  /** A socket with a first frame sent; whether it is accepted is for the caller to see. */
  static async knock(
    url: string,
    token: string,
    resume?: { resumeToken: string; lastSeq: bigint },
  ): Promise<HostileClient> {
    const client = await HostileClient.socket(url);
    client.send({ frame: { case: "connect", value: { token, ...(resume === undefined ? {} : { resume }) } } });
    await until(
      () => client.connected !== undefined || client.disconnect !== undefined || client.closeCode !== undefined,
      {
        what: "the gateway answers",
        deadlineMs: 10_000,
        intervalMs: 5,
      },
    );
    return client;
  }

  static async socket(url: string): Promise<HostileClient> {
    const client = new HostileClient(url);
    await until(() => client.ws.readyState !== WebSocket.CONNECTING, {
      what: "it opens",
      deadlineMs: 10_000,
      intervalMs: 5,
    });
    return client;
  }

  send(frame: MessageInitShape<typeof ClientFrameSchema>): void {
    this.raw(toBinary(ClientFrameSchema, create(ClientFrameSchema, frame)));
  }

  raw(bytes: Uint8Array | string): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(bytes);
  }

  /** Sends a request without waiting; returns its id. */
  ask(roomId: string, method: Method): number {
    const id = this.#nextId;
    this.#nextId += 1;
    const value = { id: BigInt(id), method: { case: "room" as const, value: { roomId, method } } };
    this.send({ frame: { case: "request", value } });
    return id;
  }

  async request(roomId: string, method: Method): Promise<Reply> {
    const id = this.ask(roomId, method);
    return until(() => this.#replies.get(id), { what: `request ${id} is answered`, deadlineMs: 10_000, intervalMs: 5 });
  }

  replyTo(id: number): Reply | undefined {
    return this.#replies.get(id);
  }

  get replies(): readonly Reply[] {
    return [...this.#replies.values()];
  }

  async closed(): Promise<number> {
    return until(() => this.closeCode, { what: "the socket is closed", deadlineMs: 10_000, intervalMs: 5 });
  }

  end(): void {
    this.ws.terminate();
  }

  #hear(data: Buffer): void {
    const { frame, seq } = fromBinary(ServerFrameSchema, data);
    if (seq !== 0n && seq % 32n === 0n) this.send({ ack: seq });
    if (frame.case === "connected") this.connected = frame.value;
    else if (frame.case === "disconnect") this.disconnect = frame.value;
    else if (frame.case === "event") this.events.push(frame.value);
    else if (frame.case === "response") {
      const { requestId, result } = frame.value;
      const response = result.case === "room" ? result.value : undefined;
      this.#replies.set(Number(requestId), { number: result.case === "error" ? result.value.number : 0, response });
    }
  }
}
