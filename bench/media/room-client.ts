import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ServerFrameSchema,
  type RequestSchema,
  type Response,
  type RoomResponse,
  type ServerFrame,
} from "@parley/protocol";

type FrameInit = MessageInitShape<typeof ClientFrameSchema>;
type Method = NonNullable<MessageInitShape<typeof RequestSchema>["method"]>;
type RoomMethod = NonNullable<Extract<Method, { case: "room" }>["value"]["method"]>;

const acknowledgeEvery = 64;
const pingPeriodMs = 5_000;

interface Waiting {
  readonly resolve: (response: RoomResponse) => void;
  readonly reject: (error: Error) => void;
}

/** A client of the gateway with nothing around it: it joins, asks and acknowledges. What the server tells it is thrown away. */
export class RoomClient {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #pings: NodeJS.Timeout;
  #lastRequest = 0;
  #lastSeq = 0;
  #acknowledged = 0;
  #ended: Error | undefined;

  private constructor(socket: WebSocket, token: string) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) =>
      this.#take(fromBinary(ServerFrameSchema, new Uint8Array(data))),
    );
    socket.addEventListener("close", ({ code }) => this.#end(new Error(`The gateway closed the socket with ${code}`)));
    this.#send({ frame: { case: "connect", value: { token, client: { sdk: "parley-bench" } } } });
    this.#pings = setInterval(() => this.#send({ frame: { case: "ping", value: {} } }), pingPeriodMs);
  }

  static async connect(origin: string, token: string): Promise<RoomClient> {
    const socket = new WebSocket(`${origin.replace("http", "ws")}/v1/connect`, "parley.v1.proto");
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("The gateway did not take the socket")));
    });
    return new RoomClient(socket, token);
  }

  /** Asks the room; rejects with the error's name. */
  request(roomId: string, method: RoomMethod): Promise<RoomResponse> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#lastRequest += 1;
    const id = this.#lastRequest;
    const answered = new Promise<RoomResponse>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#send({
      frame: {
        case: "request",
        value: { id: BigInt(id), deadlineMs: 20_000, method: { case: "room", value: { roomId, method } } },
      },
    });
    return answered;
  }

  close(): void {
    clearInterval(this.#pings);
    this.#ended ??= new Error("closed");
    this.#socket.close();
  }

  #send(frame: FrameInit): void {
    const ack = this.#lastSeq > this.#acknowledged ? BigInt(this.#lastSeq) : 0n;
    this.#acknowledged = this.#lastSeq;
    this.#socket.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { ...frame, ack })));
  }

  #take({ seq, frame }: ServerFrame): void {
    if (seq > 0n) this.#lastSeq = Number(seq);
    if (frame.case === "response") this.#answer(frame.value);
    if (frame.case === "disconnect") this.#end(new Error(`The gateway says: ${frame.value.error?.name ?? "?"}`));
    if (this.#lastSeq - this.#acknowledged >= acknowledgeEvery) this.#send({});
  }

  #answer({ requestId, result }: Response): void {
    const waiting = this.#waiting.get(Number(requestId));
    this.#waiting.delete(Number(requestId));
    if (result.case === "room") waiting?.resolve(result.value);
    else
      waiting?.reject(
        new Error(result.case === "error" ? `${result.value.name} ${result.value.message}` : "no answer"),
      );
  }

  #end(error: Error): void {
    clearInterval(this.#pings);
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
