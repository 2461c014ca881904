import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { makeOffer, newCredentials, newSsrcs, readAnswer, type IceCredentials } from "@parley/app";
import { mintToken, type TokenClaims } from "@parley/domain-access";
import { loadLoadClient, type LoadRemote, type LoadSnapshot, type NativeLoadClient } from "@parley/native";
import { startParley, until, type ParleyProcess } from "@parley/testing";

/** Two tenants of the server under attack. */
export const tenants = {
  honest: { key: "honest", secret: "honest-secret-honest-secret-honest-secret" },
  other: { key: "other", secret: "other-secret-other-secret-other-secret-00" },
} as const;

/** The room of the honest publisher and viewers, and the stream's name. */
export const honestRoom = "lesson";
export const honestStream = "camera";

/** Longest time that an honest viewer may be without a packet while the server is attacked. */
const longestGapMs = 500;
/** Media is measured for at least so long, however quick the attack is. */
const leastMs = 1_000;
/** Several rounds of NACK and repair on this machine. */
const repairMs = 500;

/** Offer and answer of one honest peer: what an eavesdropper of signaling would know. */
export interface HonestPeer {
  readonly id: number;
  readonly local: IceCredentials;
  readonly remote: LoadRemote;
  readonly resource: string;
}

/**
 * A server in a process of its own with an honest camera and honest viewers, whose every packet is authenticated and counted while
 * something bad is done to the server.
 */
export class HostileStage implements AsyncDisposable {
  readonly server: ParleyProcess;
  readonly client: NativeLoadClient;
  readonly viewers: HonestPeer[] = [];
  readonly #metricsBefore: ReadonlyMap<string, number>;
  publisher: HonestPeer | undefined;

  private constructor(server: ParleyProcess, client: NativeLoadClient, metrics: ReadonlyMap<string, number>) {
    this.server = server;
    this.client = client;
    this.#metricsBefore = metrics;
  }

  /** `relay`: gives the port at which a peer finds the server instead of the server's own. */
  static async start(
    options: { readonly viewers?: number; readonly args?: readonly string[]; readonly relay?: Relay } = {},
  ): Promise<HostileStage> {
    const apps = Object.values(tenants)
      .map(({ key, secret }) => `${key}:${secret}`)
      .join(",");
    const args = ["--media.bind", "127.0.0.1", "--log.level", "warn", ...(options.args ?? [])];
    const server = await startParley({ args, env: { PARLEY_APPS: apps } });
    const { LoadClient } = loadLoadClient();
    const stage = new HostileStage(server, new LoadClient(), await readMetrics(server.url));
    try {
      stage.publisher = await stage.#join("publisher", options.relay);
      for (let index = 0; index < (options.viewers ?? 3); index += 1) {
        stage.viewers.push(await stage.#join("viewer", options.relay));
      }
      await until(() => stage.client.states().withMedia === stage.viewers.length, {
        what: "all honest viewers have media",
        deadlineMs: 10_000,
        describe: () => stage.client.states(),
      });
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  /** One more viewer; the caller takes it away again (`client.remove`). */
  joinViewer(): Promise<HonestPeer> {
    return this.#join("viewer", undefined);
  }

  token(claims: Partial<TokenClaims> = {}, tenant: keyof typeof tenants = "honest"): string {
    const { key, secret } = tenants[tenant];
    const exp = Math.ceil(Date.now() / 1000) + 600;
    return mintToken({ iss: key, sub: "mallory", publish: true, subscribe: true, exp, ...claims }, secret);
  }

  post(path: string, token: string, body: string, type = "application/sdp"): Promise<Response> {
    return this.http("POST", path, token, body, type);
  }

  /** A request over a connection of its own, so that descriptors can be counted afterwards. */
  async http(method: string, path: string, token: string, body = "", type = "application/sdp"): Promise<Response> {
    const headers = {
      ...(body === "" ? {} : { "content-type": type, "content-length": Buffer.byteLength(body) }),
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
    };
    return new Promise((resolve, reject) => {
      const url = `${this.server.url}${path}`;
      const ask = request(url, { method, headers, agent: false }, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const status = answer.statusCode ?? 0;
          const fields = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
          resolve(new Response(status === 204 ? null : Buffer.concat(parts), { status, headers: fields }));
        });
      });
      ask.on("error", reject);
      ask.end(body);
    });
  }

  /** A good offer, of nobody. */
  offer(publishes: boolean): string {
    return makeOffer(
      newCredentials(),
      this.client.fingerprint(),
      publishes ? { camera: newSsrcs() } : { receivePairs: 1 },
    );
  }

  /**
   * Does `attack` while the camera sends, and checks that no honest viewer lost a packet or waited for one. The camera rests before and
   * after, so that every packet of the time is either there at the end or lost. `counted` false: viewers come and go meanwhile, so that
   * only the gaps of each are looked at.
   */
  async during(attack: () => Promise<void>, counted = true): Promise<LoadSnapshot> {
    const { client } = this;
    client.setSending(false);
    await wait(repairMs);
    client.beginWindow();
    client.setSending(true);
    await Promise.all([attack(), wait(leastMs)]);
    await wait(200);
    const { longestGapUs } = client.snapshot();
    client.setSending(false);
    await wait(repairMs);
    const snapshot = client.snapshot();
    client.setSending(true);
    const about = JSON.stringify({ ...client.states(), ...snapshot });
    assert.equal(client.states().failed, 0, `an honest viewer failed: ${about}`);
    if (counted) {
      assert.equal(snapshot.distinct, snapshot.published * this.viewers.length, `packets were lost: ${about}`);
    }
    assert.equal(snapshot.missing, 0, `packets are missing: ${about}`);
    assert.equal(snapshot.authenticationFailures, 0, about);
    assert.ok(snapshot.published > 100, `the camera sent: ${about}`);
    assert.ok(longestGapUs < longestGapMs * 1000, `a viewer waited ${Math.round(longestGapUs / 1000)} ms: ${about}`);
    return snapshot;
  }

  metrics(): Promise<ReadonlyMap<string, number>> {
    return readMetrics(this.server.url);
  }

  /** How much a counter (labels included in its name) has grown since the stage was set. */
  async grown(name: string): Promise<number> {
    return ((await this.metrics()).get(name) ?? 0) - (this.#metricsBefore.get(name) ?? 0);
  }

  /** Memory of the server's own (without files it has mapped), the lowest of some samples because V8 collects now and then, and its descriptors. */
  async resources(): Promise<{ readonly memoryMb: number; readonly descriptors: number }> {
    let memoryKb = Number.POSITIVE_INFINITY;
    let descriptors = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < 5; sample += 1) {
      const rollup = readFileSync(`/proc/${this.server.pid()}/smaps_rollup`, "utf8");
      memoryKb = Math.min(memoryKb, Number(/^Pss_Anon:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? Number.NaN));
      descriptors = Math.min(descriptors, readdirSync(`/proc/${this.server.pid()}/fd`).length);
      await wait(100);
    }
    return { memoryMb: Math.round(memoryKb / 1024), descriptors };
  }

  /** Waits until memory and descriptors are near what they were; fails when they stay. */
  async untilResourcesAreBack(
    before: { readonly memoryMb: number; readonly descriptors: number },
    moreMb = 120,
  ): Promise<void> {
    let now = before;
    await until(
      async () => {
        now = await this.resources();
        return now.memoryMb <= before.memoryMb + moreMb && now.descriptors <= before.descriptors + 4;
      },
      { what: "memory and descriptors are back", deadlineMs: 15_000, describe: () => ({ before, now }) },
    );
  }

  /** Nothing in the log that an operator must act on. */
  noErrors(): void {
    assert.deepEqual(
      this.server.lines().filter((line) => /\b(error|fatal|ERROR|FATAL|Unhandled|uncaught)\b/.test(line)),
      [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.server.stop();
  }

  async #join(kind: "publisher" | "viewer", relay: Relay | undefined): Promise<HonestPeer> {
    const local = newCredentials();
    const ssrcs = newSsrcs();
    const options = { ...local, srtpProfile: 7, gro: false };
    const publishes = kind === "publisher";
    const id = publishes
      ? this.client.addPublisher({ ...options, ...ssrcs, profile: "burst" })
      : this.client.addSubscriber(options);
    const offer = makeOffer(local, this.client.fingerprint(), publishes ? { camera: ssrcs } : { receivePairs: 1 });
    const path = publishes ? `/v1/whip/${honestRoom}?stream=${honestStream}` : `/v1/whep/${honestRoom}/${honestStream}`;
    const response = await this.post(path, this.token({ sub: kind, room: honestRoom }), offer);
    const answer = await response.text();
    assert.equal(response.status, 201, answer);
    const { remote } = readAnswer(answer);
    const port = relay === undefined ? remote.port : await relay(kind, remote);
    assert.equal(this.client.connect(id, { ...remote, port }), 0);
    await until(() => this.client.state(id) === "connected", {
      what: `the ${kind} is connected`,
      deadlineMs: 10_000,
      intervalMs: 10,
      describe: () => this.client.state(id),
    });
    return { id, local, remote, resource: response.headers.get("location") ?? "" };
  }
}

export type Relay = (kind: "publisher" | "viewer", remote: LoadRemote) => Promise<number>;

async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)$/.exec(line);
    if (match?.[1] !== undefined) found.set(match[1], Number(match[2]));
  }
  return found;
}
