import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { defaultConnectionPolicy, defaultSocketLimits } from "@parley/domain-connection";
import { closeCodes, errorTable } from "@parley/protocol";
import { GatewayBench, type TestSocket } from "./gateway-bench.ts";

const slow = { timeout: 20_000 };

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`waited 10 s until ${what}`);
    await wait(5);
  }
}

function upgrade(port: number, subprotocol: string): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  socket.write(
    `GET /v1/connect HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
  );
  return socket;
}

test("[SIG-1] an upgrade that is refused keeps no descriptor, though the client never closes", slow, async () => {
  await using bench = await GatewayBench.start();
  const sockets = Array.from({ length: 20 }, () => upgrade(bench.port, "parley.v99"));
  let text = "";
  sockets[0]?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  let cut = 0;
  for (const socket of sockets) socket.once("close", () => (cut += 1));
  await until("the refusal is there", () => text.includes("unknown-subprotocol"));
  // The clients never end their side; written bytes find the connection reset once the server has let go.
  await wait(1_200);
  for (const socket of sockets) socket.write("x");
  await wait(50);
  for (const socket of sockets) socket.write("x");
  await until("all are cut off", () => cut === sockets.length);
});

test("[SIG-1] a flood of frames is sent away by number; frames after that are not looked at", slow, async () => {
  const policy = { ...defaultConnectionPolicy, framesPerSecond: 50, frameBurst: 50 };
  await using bench = await GatewayBench.start({ policy });
  const flooder = await bench.connected({ sub: "flooder" });
  const other = await bench.connected({ sub: "other" });
  for (let index = 0; index < 2_000; index += 1) flooder.send({});
  const { error, reconnect, retryAfterMs } = await flooder.next("disconnect");
  assert.equal(error?.number, errorTable["rate-limited"].number);
  assert.equal(reconnect, true);
  assert.equal(retryAfterMs, 5_000);
  assert.ok([closeCodes.later.code, 1006].includes((await flooder.closed()) as 4001));
  other.echo(1);
  await other.next("response");
});

test("[SIG-1] WebSocket pings count as frames, from clients that never showed a token too", slow, async () => {
  const policy = { ...defaultConnectionPolicy, framesPerSecond: 50, frameBurst: 50 };
  await using bench = await GatewayBench.start({ policy });
  const stranger = bench.socket();
  let pongs = 0;
  stranger.ws.on("pong", () => (pongs += 1));
  await new Promise((resolve) => stranger.ws.once("open", resolve));
  for (let index = 0; index < 1_000; index += 1) stranger.ws.ping("x");
  const { error } = await stranger.next("disconnect");
  assert.equal(error?.number, errorTable["rate-limited"].number);
  await stranger.closed();
  assert.ok(pongs > 0 && pongs <= 60, `pongs ${pongs}`);
});

test("[SIG-4] who connects again and again without resuming keeps only so many places", slow, async () => {
  const limits = { ...defaultSocketLimits, maxPerUser: 3 };
  await using bench = await GatewayBench.start({ limits });
  const resumable: TestSocket[] = [];
  for (let index = 0; index < 10; index += 1) {
    const socket = await bench.connected({ sub: "restless" });
    socket.terminate();
    await socket.closed();
    resumable.push(socket);
    await until("the gateway knows that it is gone", () => bench.gateway.socketCount === 0);
  }
  assert.equal(bench.gateway.connectionCount, 3);
  assert.equal(bench.gone.length, 7, "those who gave up are announced as gone");
  const tokenOf = (socket: TestSocket | undefined): string => {
    const frame = socket?.frames[0]?.frame;
    return frame?.case === "connected" ? frame.value.resumeToken : "";
  };
  const last = bench.socket();
  const resume = { resumeToken: tokenOf(resumable.at(-1)), lastSeq: 0n };
  last.send({ frame: { case: "connect", value: { token: bench.token({ sub: "restless" }), resume } } });
  assert.equal((await last.next("connected")).resumed, true, "the newest can still be resumed");
  const first = bench.socket();
  const stale = { resumeToken: tokenOf(resumable[0]), lastSeq: 0n };
  first.send({ frame: { case: "connect", value: { token: bench.token({ sub: "restless" }), resume: stale } } });
  assert.equal((await first.next("connected")).resumed, false);
});

test("[SIG-1] joins and changes are budgeted by user: more connections, or fresh ones, do not help", slow, async () => {
  const policy = { ...defaultConnectionPolicy, offersPerSecond: 0.001, offerBurst: 5 };
  await using bench = await GatewayBench.start({ policy });
  let accepted = 0;
  let refused = 0;
  for (let connection = 0; connection < 4; connection += 1) {
    const socket = await bench.connected({ sub: "flooder" });
    for (let id = 1; id <= 3; id += 1) {
      socket.join(id, `r${id}`);
      const { result } = await socket.next("response");
      if (result.case === "error") {
        assert.equal(result.value.number, errorTable["rate-limited"].number);
        assert.ok(result.value.retryAfterMs > 0);
        refused += 1;
      } else accepted += 1;
    }
    // A violation ends the connection at once.
    socket.send({ ack: 1_000_000n });
    await socket.closed();
  }
  assert.deepEqual([accepted, refused], [5, 7]);
  const other = await bench.connected({ sub: "other" });
  other.join(1, "r1");
  assert.equal((await other.next("response")).result.case, "room");
});
