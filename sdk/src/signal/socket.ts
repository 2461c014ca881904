import { sdkError } from "../api/error.ts";

/** A WebSocket as the link needs it. */
export interface SignalSocket {
  send(data: Uint8Array | string): void;
  close(): void;
}

export interface SocketHandlers {
  open(): void;
  message(data: Uint8Array | string): void;
  /** Exactly once, also when it never opened; nothing comes after it. */
  closed(code: number): void;
}

export type OpenSocket = (url: string, protocol: string, handlers: SocketHandlers) => SignalSocket;

/** Sockets by a WebSocket class, a browser's or one like it. */
export function openWebSocket(Socket: typeof WebSocket | undefined): OpenSocket {
  return (url, protocol, handlers) => {
    if (Socket === undefined)
      throw sdkError("connect-failed", "There is no WebSocket here; give one in `environment`.");
    const socket = new Socket(url, protocol);
    socket.binaryType = "arraybuffer";
    let over = false;
    socket.addEventListener("open", () => {
      if (!over) handlers.open();
    });
    socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (over) return;
      handlers.message(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    });
    // An error is followed by a close.
    socket.addEventListener("error", () => undefined);
    socket.addEventListener("close", ({ code }: CloseEvent) => {
      if (over) return;
      over = true;
      handlers.closed(code);
    });
    return {
      send: (data) => {
        if (socket.readyState === 1) socket.send(data as string | Uint8Array<ArrayBuffer>);
      },
      close: () => {
        over = true;
        socket.close();
      },
    };
  };
}
