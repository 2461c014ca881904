import type { Duplex } from "node:stream";
import type { Clock } from "@parley/foundation";

/** A client that was refused and does not close its side is cut off after this. */
const lingerMs = 1_000;

/**
 * Ends a socket of the `upgrade` event with an HTTP response. Node leaves such sockets open for as long as the client does, so one that never
 * closes would keep its descriptor.
 */
export function refuseUpgrade(stream: Duplex, clock: Clock, response: string): void {
  const cut = clock.after(lingerMs, () => stream.destroy());
  stream.on("error", () => stream.destroy());
  stream.once("close", () => cut.cancel());
  stream.resume();
  stream.end(response);
}

/** For upgrades that nobody takes. */
export const noUpgradeResponse = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
