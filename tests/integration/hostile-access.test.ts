import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { errorNumber, Source, type ErrorName } from "@parley/protocol";
import { honestRoom, honestStream, HostileStage, tenants } from "../hostile-stage.ts";
import { HostileClient, type Method } from "../hostile-client.ts";
import { LocalServer } from "../local-server.ts";

// Who is not let in: by HTTP and by the gateway, with media of others measured meanwhile.

const slow = { timeout: 60_000 };

/** The number of a refusal over HTTP, and whether the status fits a refusal. */
async function numberOf(response: Response): Promise<number> {
  const text = await response.text();
  assert.ok(response.status >= 400 && response.status < 500, `${response.status}: ${text}`);
  return (JSON.parse(text) as { number: number }).number;
}

const base64url = (text: string) => Buffer.from(text).toString("base64url");

/** A token by hand, with any header. */
function forged(header: object, claims: object, secret: string): string {
  const content = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}

/** Names that a subject, a path, a label or a terminal would take for something else. */
const hostileIds = [
  ...[">", "a.*", "*", "..", "../../etc/passwd", ".", "a.b.>", "room.*.*.command", "$SYS", "__proto__", "constructor"],
  ...["%00", "%", '"}', '{room="x"}', "\\", "/", "a/b", "‮gnp", "👩‍👩‍👧‍👦", "é", "ﷺ", " ", "\u2028"],
];
/** Names that nobody may have. */
const badIds = [
  "",
  "\0",
  "a\0b",
  "a\nb",
  "\x1b[2J",
  "\u0085",
  "x".repeat(129),
  "é".repeat(65),
  "\ud800",
  "x".repeat(4_000),
];

test("[SIG-5] bad tokens and missing grants are refused by number over WHIP, WHEP and the gateway", slow, async () => {
  await using stage = await HostileStage.start();
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: tenants.honest.key, sub: "mallory", exp: now + 600, publish: true, subscribe: true };
  const { secret } = tenants.honest;
  const none = `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(claims))}`;
  const [head = "", payload = "", signature = ""] = stage.token().split(".");
  const tokens: readonly (readonly [string, ErrorName])[] = [
    ["", "token-missing"],
    ["nonsense", "token-malformed"],
    [`${none}.`, "token-malformed"],
    [`${none}.${signature}`, "token-malformed"],
    [forged({ alg: "HS512" }, claims, secret), "token-malformed"],
    [forged({ alg: ["HS256"] }, claims, secret), "token-malformed"],
    [forged({ alg: "HS256", crit: ["x"] }, claims, secret), "token-malformed"],
    [forged({ alg: "HS256" }, claims, tenants.other.secret), "token-bad-signature"],
    [`${head}.${base64url(JSON.stringify({ ...claims, roomAdmin: true }))}.${signature}`, "token-bad-signature"],
    [`${head}.${payload}.`, "token-malformed"],
    [forged({ alg: "HS256" }, { ...claims, iss: "nobody" }, secret), "token-unknown-app"],
    [forged({ alg: "HS256" }, { ...claims, exp: now - 1 }, secret), "token-expired"],
    [forged({ alg: "HS256" }, { ...claims, nbf: now + 300 }, secret), "token-not-yet-valid"],
    [forged({ alg: "HS256" }, { ...claims, exp: "never" }, secret), "token-malformed"],
    [forged({ alg: "HS256" }, { ...claims, name: "x".repeat(5_000) }, secret), "token-too-large"],
  ];
  await stage.during(async () => {
    for (const [token, name] of tokens) {
      for (const path of [`/v1/whip/${honestRoom}`, `/v1/whep/${honestRoom}/${honestStream}`]) {
        assert.equal(await numberOf(await stage.post(path, token, stage.offer(true))), errorNumber(name), name);
      }
      const client = await HostileClient.knock(stage.server.url, token);
      assert.equal(client.disconnect?.error?.number, errorNumber(name), name);
      assert.ok([4001, 4003].includes(await client.closed()));
    }
    // Genuine tokens, for something else.
    const whip = `/v1/whip/${honestRoom}?stream=mine`;
    const whep = `/v1/whep/${honestRoom}/${honestStream}`;
    const refused = async (path: string, token: string, name: ErrorName) =>
      assert.equal(
        await numberOf(await stage.post(path, token, stage.offer(path.startsWith("/v1/whip")))),
        errorNumber(name),
        path,
      );
    await refused(whip, stage.token({ room: "another" }), "wrong-room");
    await refused(whep, stage.token({ room: "another" }), "wrong-room");
    await refused(whip, stage.token({ publish: false }), "grant-missing");
    await refused(whip, stage.token({ sources: ["screen"] }), "grant-missing");
    await refused(whep, stage.token({ subscribe: false }), "grant-missing");
    await refused(`/v1/whip/${honestRoom}?stream=${honestStream}`, stage.token({ publish: true }), "stream-in-use");
    // A session belongs to its user: others learn nothing of it, and cannot end it.
    for (const [token, tenant] of [
      [stage.token({ sub: "mallory" }), "the same app"],
      [stage.token({ sub: "publisher" }, "other"), "another app"],
    ] as const) {
      for (const method of ["DELETE", "PATCH"]) {
        const response = await fetch(`${stage.server.url}${stage.publisher?.resource}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/trickle-ice-sdpfrag",
            "if-match": "*",
          },
          ...(method === "PATCH" ? { body: "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghabcdefghabcdefgh\r\n" } : {}),
        });
        assert.equal(await numberOf(response), errorNumber("session-not-found"), `${method} by ${tenant}`);
      }
    }
  });
  assert.ok((await stage.grown('parley_gateway_refused_total{error="token-bad-signature"}')) >= 2);
  stage.noErrors();
});

const publishing = (offerSdp: string, stream = "mine"): Method => ({
  case: "openSession",
  value: {
    session: "pub",
    offerSdp,
    sections: [{ mid: "1", use: { case: "publish", value: { stream, source: Source.CAMERA } } }],
  },
});

test(
  "[SIG-2] in a room: what the token does not grant is refused, and another app's room of the same name is another room",
  slow,
  async () => {
    await using stage = await HostileStage.start();
    const { url } = stage.server;
    await stage.during(async () => {
      const outsider = await HostileClient.knock(url, stage.token({ room: "another" }));
      assert.equal((await outsider.request(honestRoom, { case: "join", value: {} })).number, errorNumber("wrong-room"));
      assert.equal(
        (await outsider.request(honestRoom, { case: "getSnapshot", value: {} })).number,
        errorNumber("not-in-room"),
      );
      const watcher = await HostileClient.knock(url, stage.token({ sub: "watcher", publish: false, room: honestRoom }));
      const joined = await watcher.request(honestRoom, { case: "join", value: {} });
      assert.equal(joined.number, 0);
      const refused = async (method: Method, name: ErrorName) =>
        assert.equal((await watcher.request(honestRoom, method)).number, errorNumber(name), method.case);
      await refused(publishing(stage.offer(true)), "permission-denied");
      await refused({ case: "sendData", value: { payload: new Uint8Array(1) } }, "permission-denied");
      await refused({ case: "updateRoom", value: { locked: true } }, "permission-denied");
      const [stream] =
        joined.response?.result.case === "joined" ? (joined.response.result.value.snapshot?.streams ?? []) : [];
      const streamId = stream?.streamId ?? 0;
      assert.notEqual(streamId, 0);
      await refused({ case: "setTrackMuted", value: { streamId, mid: "0", muted: true } }, "permission-denied");
      const commands: Extract<Method, { case: "moderate" }>["value"][] = [
        { command: { case: "muteTrack", value: { streamId, mid: "1" } } },
        { command: { case: "remove", value: { participantId: stream?.participantId ?? "", ban: true } } },
        { command: { case: "move", value: { participantIds: [stream?.participantId ?? ""], toRoomId: "trap" } } },
        { command: { case: "closeRoom", value: {} } },
      ];
      for (const value of commands) await refused({ case: "moderate", value }, "permission-denied");

      const stranger = await HostileClient.knock(url, stage.token({ sub: "publisher", roomAdmin: true }, "other"));
      const there = await stranger.request(honestRoom, { case: "join", value: {} });
      assert.ok(there.response?.result.case === "joined");
      assert.deepEqual(there.response.result.value.snapshot?.streams, [], "the other app's room of that name is empty");
      const open: Method = {
        case: "openSession",
        value: {
          session: "sub",
          offerSdp: stage.offer(false),
          sections: [{ mid: "1", use: { case: "receive", value: {} } }],
          bindings: [{ mid: "1", streamId }],
        },
      };
      const session = await stranger.request(honestRoom, open);
      assert.ok(session.response?.result.case === "session");
      assert.equal(session.response.result.value.slots[0]?.streamId, 0);
      const bind: Method = { case: "bindSlots", value: { session: "sub", bindings: [{ mid: "1", streamId }] } };
      const bound = await stranger.request(honestRoom, bind);
      assert.ok(bound.response?.result.case === "slots");
      assert.equal(bound.response.result.value.slots[0]?.error?.number, errorNumber("stream-not-found"));
      const close: Method = { case: "moderate", value: { command: { case: "closeRoom", value: {} } } };
      assert.equal((await stranger.request(honestRoom, close)).number, 0, "its own room it may close");

      // A resume token is worth nothing to another user, nor with a wrong number.
      const { resumeToken = "" } = watcher.connected ?? {};
      watcher.end();
      const thief = await HostileClient.knock(url, stage.token({ sub: "thief" }), { resumeToken, lastSeq: 0n });
      assert.equal(thief.connected?.resumed, false);
      const foreign = await HostileClient.knock(url, stage.token({ sub: "watcher" }, "other"), {
        resumeToken,
        lastSeq: 0n,
      });
      assert.equal(foreign.connected?.resumed, false);
      const future = await HostileClient.knock(url, stage.token({ sub: "watcher" }), {
        resumeToken,
        lastSeq: 1n << 63n,
      });
      assert.equal(future.connected?.resumed, false);
      for (const client of [outsider, stranger, thief, foreign, future]) client.end();
    });
    stage.noErrors();
  },
);

test("[SIG-2] hostile ids reach nobody else, in any place that takes one, and appear in no metric", slow, async () => {
  await using stage = await HostileStage.start({ args: ["--limits.joinsPerSecondPerAddress", "1000"] });
  const { url } = stage.server;
  await stage.during(async () => {
    for (const id of [...hostileIds, ...badIds]) {
      const bad = badIds.includes(id);
      const path = encodeURIComponent(id.isWellFormed() ? id : "\ufffd".repeat(200));
      for (const [where, offer] of [
        [`/v1/whip/${path}?stream=a`, true],
        [`/v1/whip/room?stream=${path}`, true],
        [`/v1/whep/${path}/a`, false],
        [`/v1/whep/room/${path}`, false],
      ] as const) {
        const response = await stage.post(where, stage.token(), stage.offer(offer));
        const text = await response.text();
        if (bad) assert.ok(response.status >= 400 && response.status < 500, `${where} ${response.status}`);
        // "." and ".." are folded by every HTTP client before they are sent.
        else if (!/\/(\.|%2e){1,2}(\/|\?|$)/i.test(where)) assert.equal(response.status, 201, `${where} ${text}`);
        const location = response.headers.get("location");
        if (location !== null) {
          await fetch(`${url}${location}`, { method: "DELETE", headers: { authorization: `Bearer ${stage.token()}` } });
        }
      }
      const sessions = await fetch(`${url}/v1/sessions/${path}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${stage.token()}` },
      });
      assert.ok([404, 400, 405].includes(sessions.status), `sessions/${path}: ${sessions.status}`);
      await sessions.arrayBuffer();
    }
    const client = await HostileClient.knock(url, stage.token({ sub: ">", name: "a.*" }));
    const numbers = { ok: 0, bad: errorNumber("bad-id"), busy: errorNumber("rate-limited") };
    for (const id of [...hostileIds, ...badIds.filter((one) => one.isWellFormed())]) {
      const expected = badIds.includes(id) ? numbers.bad : numbers.ok;
      let reply = await client.request(id, { case: "join", value: {} });
      while (reply.number === numbers.busy) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        reply = await client.request(id, { case: "join", value: {} });
      }
      assert.equal(reply.number, expected, JSON.stringify(id));
      if (expected !== 0) continue;
      assert.equal(
        reply.response?.result.case === "joined" && reply.response.result.value.snapshot?.participants.length,
        1,
      );
      const left = await client.request(id, { case: "leave", value: {} });
      assert.ok([0, numbers.busy].includes(left.number));
    }
    client.end();
  });
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of text.split("\n").filter((one) => one.startsWith("parley_"))) {
    assert.match(line, /^[a-z_]+(\{([a-z_]+="[A-Za-z0-9_.+-]*",?)*\})? [0-9.e+-]+$/, line);
    for (const id of hostileIds.filter((one) => one.length > 2)) assert.ok(!line.includes(id), line);
  }
  stage.noErrors();
});

test("[SIG-2] whatever ids clients choose, every subject of the bus is made of plain tokens", slow, async () => {
  await using server = await LocalServer.start();
  const subjects = new Set<string>();
  server.bus.subscribe(">", ({ subject }) => subjects.add(subject));
  for (const id of hostileIds) {
    const client = await HostileClient.knock(
      server.url.replace("ws", "http"),
      server.token({ sub: id, roomAdmin: true }),
    );
    const joined = await client.request(id, { case: "join", value: { name: id, replacesParticipantId: id } });
    assert.equal(joined.number, 0, id);
    await client.request(id, {
      case: "moderate",
      value: { command: { case: "remove", value: { participantId: id } } },
    });
    const me = joined.response?.result.case === "joined" ? joined.response.result.value.participantId : "";
    const move = { case: "move" as const, value: { participantIds: [me], toRoomId: `${id} 2` } };
    assert.equal((await client.request(id, { case: "moderate", value: { command: move } })).number, 0, id);
    await client.request(id, { case: "bindSlots", value: { session: id, bindings: [{ mid: id, streamName: id }] } });
    client.end();
  }
  assert.ok(subjects.size > hostileIds.length);
  for (const subject of subjects) assert.match(subject, /^[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*$/, subject);
});
