import type { Duplex } from "node:stream";
import { serverFrameText, type Encoding } from "@parley/domain-connection";
import type { Clock } from "@parley/foundation";
import type { WebSocket } from "ws";

/** A client that does not answer our close frame is cut off after this. */
const closeGraceMs = 2_000;

/**
 * One WebSocket. What is sent within one turn of the event loop leaves in one system call: the call costs ten times what a
 * frame does.
 */
export class ClientSocket {
  readonly #ws: WebSocket;
  readonly #stream: Duplex;
  readonly #encoding: Encoding;
  readonly #clock: Clock;
  #corked = false;
  #closed = false;

  constructor(ws: WebSocket, stream: Duplex, encoding: Encoding, clock: Clock) {
    this.#ws = ws;
    this.#stream = stream;
    this.#encoding = encoding;
    this.#clock = clock;
  }

  get encoding(): Encoding {
    return this.#encoding;
  }

  /** Bytes that wait in this process for the network. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  /** `close` was called; what the client still sends is of no interest. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Answers a WebSocket ping (RFC 6455 5.5.3), unless the client does not read. */
  pong(data: Uint8Array, highWaterBytes: number): void {
    if (!this.#closed && this.bufferedBytes <= highWaterBytes) this.#ws.pong(data, false, ignoreSendError);
  }

  /** Takes nothing more from the network; what was sent still goes out. */
  stopReading(): void {
    this.#ws.pause();
  }

  /** `bytes` is an encoded ServerFrame. Nothing happens once `close` was called. */
  send(bytes: Uint8Array): void {
    if (this.#closed || this.#ws.readyState !== this.#ws.OPEN) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      queueMicrotask(() => {
        this.#corked = false;
        this.#stream.uncork();
      });
    }
    if (this.#encoding === "binary") this.#ws.send(bytes, ignoreSendError);
    else this.#ws.send(serverFrameText(bytes), ignoreSendError);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ws.close(code, reason);
    this.#clock.after(closeGraceMs, () => this.#ws.terminate());
  }
}

/** A failed send is followed by the socket's close event, which is what counts. */
function ignoreSendError(): void {}
