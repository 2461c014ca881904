import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { defaultConnectionPolicy, defaultSocketLimits } from "@parley/domain-connection";
import { encodeRevocations } from "@parley/domain-access";
import { subjects, subjectToken } from "@parley/foundation";
import { closeCodes, ConnectionPresenceSchema, errorTable } from "@parley/protocol";
import { GatewayBench } from "./gateway-bench.ts";

const slow = { timeout: 20_000 };
const { heartbeatIntervalMs } = defaultConnectionPolicy;

test("[SIG-1] connect, join and requests in one flight, binary and JSON", slow, async () => {
  await using bench = await GatewayBench.start();
  for (const protocol of ["parley.v1.proto", "parley.v1.json"]) {
    const socket = bench.socket(protocol);
    socket.send({ frame: { case: "connect", value: { token: bench.token({ room: "lesson" }) } } });
    socket.join(1, "lesson");
    socket.echo(2);
    const connected = await socket.next("connected");
    assert.equal(connected.userId, "ann");
    assert.equal(connected.heartbeatIntervalMs, heartbeatIntervalMs);
    const answers = [await socket.next("response"), await socket.next("response")];
    assert.deepEqual(answers.map(({ requestId }) => Number(requestId)).toSorted(), [1, 2]);
  }
  const [command] = bench.commands;
  assert.equal(command?.appId, "app");
  assert.equal(command?.userId, "ann");
  assert.equal(command?.grants?.roomId, "lesson");
  assert.equal(command?.localIp, "127.0.0.1");
});

test("[SIG-4] a broken socket resumes: events of the gap arrive once, requests are not repeated", slow, async () => {
  await using bench = await GatewayBench.start();
  const first = await bench.connected();
  const { connectionId, resumeToken } = (first.frames[0]?.frame.value ?? {}) as {
    connectionId: string;
    resumeToken: string;
  };
  first.join(1, "r");
  await first.next("response");
  bench.publish(connectionId, { roomId: "r", revision: 1n, event: { case: "roomClosed", value: { reason: "1" } } });
  await first.next("event");
  first.terminate();
  await first.closed();
  bench.publish(connectionId, { roomId: "r", revision: 2n, event: { case: "roomClosed", value: { reason: "2" } } });

  const second = bench.socket();
  const resume = { resumeToken, lastSeq: 1n };
  second.send({ frame: { case: "connect", value: { token: bench.token(), resume } } });
  second.join(1, "r");
  second.echo(2);
  const connected = await second.next("connected");
  assert.equal(connected.resumed, true);
  assert.equal(connected.connectionId, connectionId);
  assert.deepEqual(
    [await second.next("event"), await second.next("event")].map((event) => Number(event.revision)),
    [1, 2],
  );
  assert.equal(Number((await second.next("response")).requestId), 2);
  assert.equal(bench.commands.length, 1);
});

test("[SIG-4] somebody else's resume token resumes nothing", slow, async () => {
  await using bench = await GatewayBench.start();
  const first = await bench.connected();
  const { resumeToken } = (first.frames[0]?.frame.value ?? {}) as { resumeToken: string };
  const thief = bench.socket();
  const resume = { resumeToken, lastSeq: 0n };
  thief.send({ frame: { case: "connect", value: { token: bench.token({ sub: "eve" }), resume } } });
  const connected = await thief.next("connected");
  assert.equal(connected.resumed, false);
  first.echo(1);
  await first.next("response");
});

test("[SIG-1] an unknown subprotocol is refused with a numbered error", slow, async () => {
  await using bench = await GatewayBench.start();
  for (const protocol of ["parley.v9.proto", undefined]) {
    const { status, body } = await upgrade(bench.port, protocol);
    assert.equal(status, 400);
    assert.equal(JSON.parse(body).error.number, errorTable["unknown-subprotocol"].number);
  }
});

test("[SIG-1] hostile frames are refused by number, and others are not disturbed", slow, async () => {
  await using bench = await GatewayBench.start();
  const other = await bench.connected();
  const attacks: [string, string | Uint8Array, string, number][] = [
    ["parley.v1.proto", "{}", "bad-frame", closeCodes.ended.code],
    ["parley.v1.json", new Uint8Array([1, 2, 3]), "bad-frame", closeCodes.ended.code],
    ["parley.v1.json", '{"ack":"x"', "bad-frame", closeCodes.ended.code],
    ["parley.v1.proto", new Uint8Array(200).fill(0xff), "bad-frame", closeCodes.ended.code],
    ["parley.v1.proto", new Uint8Array(1 << 20), "frame-too-large", closeCodes.ended.code],
  ];
  for (const [protocol, data, name, code] of attacks) {
    for (const authenticated of [false, true]) {
      const socket = bench.socket(protocol);
      if (authenticated) {
        socket.send({ frame: { case: "connect", value: { token: bench.token() } } });
        await socket.next("connected");
      }
      socket.raw(data);
      const { error, reconnect } = await socket.next("disconnect");
      assert.equal(error?.name, name);
      assert.equal(reconnect, false);
      assert.equal(await socket.closed(), code);
    }
  }
  const giant = bench.socket();
  giant.raw(new Uint8Array(8 << 20));
  assert.ok([1006, 1009].includes(await giant.closed()));
  other.echo(1);
  await other.next("response");
});

test("[SIG-5] bad tokens are refused with their numbers", slow, async () => {
  await using bench = await GatewayBench.start();
  const cases: [string, string][] = [
    ["", "token-missing"],
    ["x", "token-malformed"],
    [bench.token({ iss: "other" }), "token-unknown-app"],
    [`${bench.token().slice(0, -4)}AAAA`, "token-bad-signature"],
    [bench.token({ exp: 1_000 }), "token-expired"],
  ];
  for (const [token, name] of cases) {
    const socket = bench.socket();
    socket.send({ frame: { case: "connect", value: { token } } });
    const { error } = await socket.next("disconnect");
    assert.equal(error?.name, name);
    assert.equal(await socket.closed(), closeCodes["new-token"].code);
  }
});

test("[SIG-5] expiry and revocation end a living connection; a fresh token keeps it", slow, async () => {
  await using bench = await GatewayBench.start();
  const exp = Math.ceil(Date.now() / 1000) + 1;
  const refreshed = await bench.connected({ exp, jti: "a" });
  refreshed.send({ frame: { case: "refreshToken", value: { token: bench.token({ jti: "b" }) } } });
  await refreshed.next("tokenRefreshed");
  const expired = await bench.connected({ exp });
  const { error } = await expired.next("disconnect");
  assert.equal(error?.name, "token-expired");
  const stranger = await bench.connected({ sub: "bob" });
  stranger.send({ frame: { case: "refreshToken", value: { token: bench.token() } } });
  assert.equal((await stranger.next("disconnect")).error?.name, "wrong-app");

  const now = Date.now();
  const kept = { revocation: { type: "token", appId: "app", tokenId: "b" }, keepUntilUnixMs: now + 1e6 } as const;
  for (const message of encodeRevocations([kept])) bench.bus.publish(subjects.accessRevocations, message);
  const revoked = await refreshed.next("disconnect");
  assert.equal(revoked.error?.name, "token-revoked");
  assert.equal(revoked.reconnect, false);
  assert.equal(await refreshed.closed(), closeCodes.ended.code);
  assert.equal(bench.gone.length, 1);
});

test("[SIG-1] a socket that says nothing, and one connection too many, are refused", slow, async () => {
  const policy = { ...defaultConnectionPolicy, connectDeadlineMs: 100 };
  await using bench = await GatewayBench.start({ policy, limits: { ...defaultSocketLimits, maxPerUser: 2 } });
  const silent = bench.socket();
  assert.equal((await silent.next("disconnect")).error?.name, "connect-timeout");
  const held = [await bench.connected(), await bench.connected()];
  const third = bench.socket();
  third.send({ frame: { case: "connect", value: { token: bench.token() } } });
  const { error, reconnect } = await third.next("disconnect");
  assert.equal(error?.name, "too-many-connections");
  assert.equal(reconnect, true);
  held[0]?.terminate();
  await held[0]?.closed();
  await third.closed();
  await until(() => bench.gateway.socketCount === 1);
  await bench.connected();
});

test("[SIG-1] ids such as > and a.* stay within their tenant", slow, async () => {
  await using bench = await GatewayBench.start();
  const subjects: string[] = [];
  bench.bus.subscribe("room.>", ({ subject }) => subjects.push(subject));
  const socket = await bench.connected();
  const hostile = [">", "*", "a.*", "x.command", "..", "a b"];
  hostile.forEach((roomId, index) => socket.join(index + 1, roomId));
  for (const _ of hostile) await socket.next("response");
  assert.deepEqual(
    subjects,
    hostile.map((id) => `room.${subjectToken("app")}.${subjectToken(id)}.command`),
  );
  for (const subject of subjects) assert.match(subject, /^room\.[\w-]+\.[\w-]+\.command$/);
});

test("[SIG-1] an event of another app does not reach a connection", slow, async () => {
  await using bench = await GatewayBench.start();
  const socket = await bench.connected();
  const { connectionId } = (socket.frames[0]?.frame.value ?? {}) as { connectionId: string };
  bench.publish(connectionId, { roomId: "r", event: { case: "roomClosed", value: {} } }, "other");
  socket.echo(1);
  await socket.next("response");
});

test("[SIG-1] presence names the rooms of living connections", slow, async () => {
  await using bench = await GatewayBench.start();
  const seen = Promise.withResolvers<string[]>();
  bench.bus.subscribe("conn.presence", ({ payload }) => {
    const [connection] = fromBinary(ConnectionPresenceSchema, payload).connections;
    if (connection !== undefined) seen.resolve(connection.roomIds);
  });
  const socket = await bench.connected();
  socket.join(1, "r");
  assert.deepEqual(await seen.promise, ["r"]);
});

test("[SIG-1] draining tells everybody to come back, and lets nobody in", slow, async () => {
  await using bench = await GatewayBench.start();
  const socket = await bench.connected();
  bench.gateway.drain();
  const { error, reconnect, retryAfterMs } = await socket.next("disconnect");
  assert.deepEqual([error?.name, reconnect, retryAfterMs <= 2_000], ["draining", true, true]);
  assert.equal(await socket.closed(), closeCodes.later.code);
  assert.equal((await upgrade(bench.port, "parley.v1.proto")).status, 503);
});

test("[SIG-1] a client that does not read loses lossy events, then its socket, then nothing", slow, async () => {
  const policy = {
    ...defaultConnectionPolicy,
    closeWatermarkBytes: 512 << 10,
    resumeBufferBytes: 64 << 20,
    resumeBufferFrames: 1e6,
  };
  await using bench = await GatewayBench.start({ policy });
  const socket = await bench.connected();
  const { connectionId, resumeToken } = (socket.frames[0]?.frame.value ?? {}) as {
    connectionId: string;
    resumeToken: string;
  };
  socket.ws.pause();
  const payload = new Uint8Array(10_000);
  let sent = 0;
  for (let batch = 0; batch < 60; batch += 1) {
    for (let index = 0; index < 20; index += 1) {
      sent += 1;
      bench.publish(connectionId, {
        roomId: "r",
        event: { case: "dataReceived", value: { payload, topic: String(sent) } },
      });
      bench.publish(
        connectionId,
        { roomId: "r", event: { case: "dataReceived", value: { payload, topic: "lossy" } } },
        "app",
        { lossy: true },
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.terminate();
  await socket.closed();
  const handled = socket.frames.reduce((highest, { seq }) => (seq > highest ? seq : highest), 0n);
  const again = bench.socket();
  again.send({
    frame: { case: "connect", value: { token: bench.token(), resume: { resumeToken, lastSeq: handled } } },
  });
  assert.equal((await again.next("connected")).resumed, true);
  for (let expected = Number(handled) + 1; expected <= sent; expected += 1) {
    const event = await again.next("event");
    assert.ok(event.event.case === "dataReceived");
    assert.equal(event.event.value.topic, String(expected));
  }
});

test(
  "[SIG-4] who comes back is told who speaks now, though that may be lost; not what was so meanwhile",
  slow,
  async () => {
    await using bench = await GatewayBench.start();
    const socket = await bench.connected();
    const connected = socket.frames[0]?.frame;
    assert.ok(connected?.case === "connected");
    const { connectionId, resumeToken } = connected.value;
    const speakers = (revision: bigint): void => {
      const event = { roomId: "r", event: { case: "speakersChanged" as const, value: { revision } } };
      bench.publish(connectionId, event, "app", { lossy: true, newestOf: "speakers r" });
    };
    speakers(1n);
    await socket.next("event");
    socket.terminate();
    await until(() => bench.gateway.socketCount === 0);
    for (const revision of [2n, 3n]) speakers(revision);
    bench.publish(connectionId, { roomId: "r", event: { case: "codecWanted", value: {} } });
    const again = bench.socket();
    again.send({ frame: { case: "connect", value: { token: bench.token(), resume: { resumeToken, lastSeq: 0n } } } });
    assert.equal((await again.next("connected")).resumed, true);
    assert.equal((await again.next("event")).event.case, "codecWanted");
    const last = await again.next("event");
    assert.ok(last.event.case === "speakersChanged" && last.event.value.revision === 3n);
  },
);

test("[SIG-1] behind a trusted proxy the limit per address counts clients, not the proxy", slow, async () => {
  const limits = { ...defaultSocketLimits, maxPerAddress: 2, maxUnauthenticatedPerAddress: 2 };
  const statusFor = async (bench: GatewayBench, client: string): Promise<number> =>
    (await upgrade(bench.port, "parley.v1.proto", { "X-Forwarded-For": client })).status;
  {
    await using bench = await GatewayBench.start({ limits, trustedProxies: ["127.0.0.1"] });
    for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) assert.equal(await statusFor(bench, client), 101);
    assert.equal(await statusFor(bench, "192.0.2.1"), 429);
    assert.equal(await statusFor(bench, "192.0.2.3, 192.0.2.1"), 429, "what the client itself wrote is not believed");
    assert.equal(await statusFor(bench, "192.0.2.1, 192.0.2.3"), 101);
  }
  await using bench = await GatewayBench.start({ limits });
  for (const client of ["192.0.2.1", "192.0.2.2"]) assert.equal(await statusFor(bench, client), 101);
  assert.equal(await statusFor(bench, "192.0.2.3"), 429, "nobody is trusted: all of them are one address");
});

async function upgrade(
  port: number,
  protocol: string | undefined,
  more: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  const headers: Record<string, string> = {
    ...more,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  if (protocol !== undefined) headers["Sec-WebSocket-Protocol"] = protocol;
  return new Promise((resolve, reject) => {
    const ask = request({ host: "127.0.0.1", port, path: "/v1/connect", headers }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    // The socket stays open until the bench ends.
    ask.on("upgrade", (response) => resolve({ status: response.statusCode ?? 0, body: "" }));
    ask.on("error", reject);
    ask.end();
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < deadlineMs, "did not come to be within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
