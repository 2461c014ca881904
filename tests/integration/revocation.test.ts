import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { mintToken, type TokenClaims } from "@parley/domain-access";
import { ClientFrameSchema, closeCodes, errorNumber, ServerFrameSchema, type ServerFrame } from "@parley/protocol";
import { startParley, until, type ParleyProcess } from "@parley/testing";
import { WebSocket } from "ws";
import { recordedOffer } from "./api-apparatus.ts";

/** The app of `--dev`. */
const app = { key: "dev", secret: "development-secret-not-for-production" };
const folder = mkdtempSync(join(tmpdir(), "parley-revocation-"));
const main = fileURLToPath(new URL("../../apps/parley/src/main.ts", import.meta.url));
let parley: ParleyProcess;
before(async () => {
  parley = await startParley({ args: ["--dataDir", folder] });
});
after(async () => {
  await parley.stop();
  rmSync(folder, { recursive: true });
});

const nowSeconds = () => Math.floor(Date.now() / 1000);

function token(sub: string, claims: Partial<TokenClaims> = {}): string {
  const issued = nowSeconds() - 60;
  return mintToken(
    { iss: app.key, sub, iat: issued, exp: issued + 3_600, publish: true, subscribe: true, ...claims },
    app.secret,
  );
}

async function revoke(
  body: object,
  bearer = token("ops", { appAdmin: true }),
): Promise<{ status: number; number: number }> {
  const response = await fetch(`${parley.url}/v1/revocations`, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, number: text === "" ? 0 : (JSON.parse(text) as { number: number }).number };
}

class Client {
  readonly frames: ServerFrame[] = [];
  closeCode = 0;
  readonly #ws: WebSocket;

  constructor(bearer: string) {
    this.#ws = new WebSocket(`${parley.url.replace("http", "ws")}/v1/connect`, "parley.v1.proto");
    this.#ws.on("message", (data: Buffer) => this.frames.push(fromBinary(ServerFrameSchema, data)));
    this.#ws.on("error", () => undefined);
    this.#ws.on("close", (code) => (this.closeCode = code));
    this.#ws.on("open", () => {
      this.#send({ case: "connect", value: { token: bearer } });
      const join = { roomId: "room", method: { case: "join" as const, value: {} } };
      this.#send({ case: "request", value: { id: 1n, method: { case: "room", value: join } } });
    });
  }

  /** Waits for a frame of this kind. */
  async frame<Case extends ServerFrame["frame"]["case"]>(kind: Case) {
    const find = () => this.frames.find(({ frame }) => frame.case === kind)?.frame;
    await until(() => find() !== undefined, { what: `a frame ${kind}`, deadlineMs: 5_000 });
    return find() as Extract<ServerFrame["frame"], { case: Case }>;
  }

  /** The participants that this client was told have gone. */
  get left(): number {
    return this.frames.filter(({ frame }) => frame.case === "event" && frame.value.event.case === "participantLeft")
      .length;
  }

  end(): void {
    this.#ws.terminate();
  }

  #send(frame: NonNullable<Exclude<MessageInitShape<typeof ClientFrameSchema>, { $typeName: string }>["frame"]>): void {
    this.#ws.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { frame })));
  }
}

async function postWhip(bearer: string): Promise<Response> {
  return fetch(parley.whipUrl("room", "cam"), {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/sdp" },
    body: recordedOffer("chromium-publish"),
  });
}

test("[SIG-5] revoked tokens end what lives with them at once, let nobody in, and stay revoked over kill -9; others are not touched", async () => {
  const [watcherToken, aliceToken, aliceOther] = [
    token("watcher"),
    token("alice", { jti: "a1" }),
    token("alice", { jti: "a2" }),
  ];
  const watcher = new Client(watcherToken);
  await watcher.frame("response");
  const alice = new Client(aliceToken);
  const sameUser = new Client(aliceOther);
  await Promise.all([alice.frame("response"), sameUser.frame("response")]);
  const whip = await postWhip(token("camera", { jti: "c1" }));
  assert.equal(whip.status, 201);
  const session = new URL(whip.headers.get("location") ?? "", parley.url);

  assert.deepEqual(await revoke({ tokenId: "a1", until: nowSeconds() + 3_600 }), { status: 204, number: 0 });
  const { value: farewell } = await alice.frame("disconnect");
  assert.equal(farewell.error?.number, errorNumber("token-revoked"));
  assert.equal(farewell.reconnect, false);
  await until(() => alice.closeCode !== 0, { what: "alice's socket is closed", deadlineMs: 5_000 });
  assert.equal(alice.closeCode, closeCodes.ended.code);
  await until(() => watcher.left === 1, { what: "the room hears that alice has gone", deadlineMs: 5_000 });

  assert.equal((await revoke({ user: "camera" })).status, 204);
  await until(() => watcher.left === 2, { what: "the room hears that the WHIP session has gone", deadlineMs: 5_000 });
  const metrics = await (await fetch(`${parley.url}/metrics`)).text();
  assert.match(metrics, /^parley_api_sessions 0$/m);
  const fresh = { authorization: `Bearer ${token("camera", { iat: nowSeconds() + 1 })}` };
  const gone = await fetch(session, { method: "DELETE", headers: fresh });
  assert.equal(((await gone.json()) as { number: number }).number, errorNumber("token-revoked"), "it is told why");

  const refused = async (bearer: string): Promise<number | undefined> => {
    const client = new Client(bearer);
    const { value } = await client.frame("disconnect");
    return value.error?.number;
  };
  assert.equal(await refused(aliceToken), errorNumber("token-revoked"));
  assert.equal((await postWhip(token("camera"))).status, 401);
  assert.equal(sameUser.closeCode, 0, "another token of the same user");
  assert.equal(watcher.closeCode, 0);

  await parley.kill9();
  await parley.restart();
  assert.equal(await refused(aliceToken), errorNumber("token-revoked"));
  assert.equal((await postWhip(token("camera"))).status, 401);
  const again = new Client(aliceOther);
  await again.frame("response");
  again.end();
});

test("[SIG-5] only the app itself takes tokens back, and bad requests are refused by number", async () => {
  const bad = { status: 400, number: errorNumber("bad-request") };
  assert.deepEqual(await revoke({ user: "bob" }, token("eve", { roomAdmin: true })), {
    status: 403,
    number: errorNumber("grant-missing"),
  });
  assert.equal((await revoke({ user: "bob" }, "rubbish")).number, errorNumber("token-malformed"));
  for (const body of [
    {},
    { user: "bob", tokenId: "t" },
    { tokenId: "" },
    { tokenId: "t", issuedUntil: 5 },
    { user: "bob", until: 5 },
    { user: "bob", until: -1 },
    { user: "bob", more: true },
    [],
  ])
    assert.deepEqual(await revoke(body), bad, JSON.stringify(body));
  const wrongType = await fetch(`${parley.url}/v1/revocations`, {
    method: "POST",
    body: "v=0",
    headers: { "content-type": "application/sdp" },
  });
  assert.equal(wrongType.status, 415);
  assert.equal(wrongType.headers.get("accept-post"), "application/json");
  const bob = new Client(token("bob"));
  await bob.frame("response");
  bob.end();
});

test("[SIG-5] the guide's commands: a token for the app, made by the program, revokes", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    main,
    ...["token", "--dev", "--user", "server", "--app-admin", "--ttl", "60s"],
  ]);
  assert.deepEqual(await revoke({ tokenId: "by-hand" }, stdout.trim()), { status: 204, number: 0 });
});
