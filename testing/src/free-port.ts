import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below what Linux gives to those who do not care which port they get (32768 to 60999): browsers take thousands of these. */
const first = 16_000;
const count = 16_000;
const attempts = 100;

/**
 * A port that is free now on every address, for TCP and for UDP. A port is asked for when a server must come back on the same one; the
 * system would give us one that a browser's next socket may get before the server starts.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = first + Math.floor(Math.random() * count);
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port;
  }
  throw new Error(`no free port between ${first} and ${first + count}`);
}

async function isFreeForTcp(port: number): Promise<boolean> {
  const server = createServer();
  const bound = Promise.race([once(server, "listening").then(() => true), once(server, "error").then(() => false)]);
  server.listen(port);
  const free = await bound.catch(() => false);
  if (free) await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}

async function isFreeForUdp(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  const bound = Promise.race([once(socket, "listening").then(() => true), once(socket, "error").then(() => false)]);
  socket.bind(port);
  const free = await bound.catch(() => false);
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return free;
}
