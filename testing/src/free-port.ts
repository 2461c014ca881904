import { createServer } from "node:net";

/**
 * A TCP port of the loopback address that is free now, also for UDP in all likelihood. A port is asked for when a server must come back
 * on the same one; another process could take it in between, which no test here has ever seen.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return address.port;
}
