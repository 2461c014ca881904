import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { test } from "node:test";
import { startNativePlane } from "@parley/adapter-media-native";
import { portProblem } from "./port-problem.ts";

const planeOn = (udpPort: number, tcpPort?: number) =>
  startNativePlane({ udpPort, tcpPort, bind: ["127.0.0.1"], threads: 1, ufragKey: new Uint8Array(16) });

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("a port that is taken is named with the setting that chooses it", async () => {
  const server = await listening(0);
  const { port } = server.address() as AddressInfo;
  const error = await listening(port).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.equal(
    portProblem(error),
    `cannot listen on 127.0.0.1 port ${port}: it is in use (see http.host and http.port)`,
  );
  assert.throws(
    () => planeOn(0, port),
    (reason) => portProblem(reason)?.endsWith("in use (see media.bind and media.tcpPort)") === true,
  );
  server.close();
  const plane = planeOn(0);
  const [endpoint] = plane.endpoints;
  assert.throws(
    () => planeOn(endpoint?.port ?? 0),
    (reason) => portProblem(reason)?.endsWith("in use (see media.bind and media.udpPort)") === true,
  );
  await plane.close();
});

test("what is no port's problem is left as it is", () => {
  assert.equal(portProblem(new Error("something else")), undefined);
  assert.equal(portProblem("bind UDP"), undefined);
});
