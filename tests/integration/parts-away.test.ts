import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { createLocalBus, type LocalBus } from "@parley/adapter-bus-local";
import { generateCertificate, startNativePlane } from "@parley/adapter-media-native";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import { CryptoRandom } from "@parley/adapter-system";
import { makeOffer, newCredentials, newSsrcs, readAnswer } from "@parley/app";
import { mintToken, TokenVerifier, type TokenClaims } from "@parley/domain-access";
import { loadLoadClient, type NativeLoadClient } from "@parley/native";
import { Room } from "@parley/sdk";
import { createApi, type Api } from "@parley/service-api";
import { createGateway, defaultGatewayConfig, type Gateway } from "@parley/service-gateway";
import { createMediaNode, type MediaNode } from "@parley/service-media";
import { createSignaling, type Signaling } from "@parley/service-signaling";
import { nullLogger, Phases, until } from "@parley/testing";
import { PausablePart } from "./pausable-part.ts";
import { realClock } from "./real-clock.ts";

/**
 * The parts of a server with their real sockets, each on a bus and a clock that can be stopped like a process. The camera and its viewers
 * are clients whose every packet is authenticated and counted.
 */

const limit = { timeout: 60_000 };
const app = { id: "app", key: "key", secret: "a secret of thirty-two characters" };
const ufragKey = new Uint8Array(16).fill(0x42);
/** Nobody may wait longer for a packet, whatever happens to signaling. The machine's own stalls are in it. */
const longestGapMs = 500;
/** Rounds of NACK and repair. */
const repairMs = 500;

class Server implements AsyncDisposable {
  readonly bus: LocalBus = createLocalBus({ clock: realClock, logger: nullLogger });
  readonly mediaPart = new PausablePart(this.bus, realClock);
  readonly signalingParts: { readonly part: PausablePart; readonly signaling: Signaling }[] = [];
  readonly plane = startNativePlane({ udpPort: 0, tcpPort: undefined, bind: ["127.0.0.1"], threads: 1, ufragKey });
  readonly client: NativeLoadClient = new (loadLoadClient().LoadClient)();
  readonly #shared = {
    random: new CryptoRandom(),
    logger: nullLogger,
    metrics: createPromMetrics({ processMetrics: undefined }),
  };
  readonly #tokens = new TokenVerifier({ apps: [app] });
  readonly node: MediaNode;
  readonly api: Api;
  readonly #gateway: Gateway;
  readonly #rooms: Room[] = [];
  #viewers = 0;

  private constructor() {
    const udpPort = this.plane.endpoints.find(({ protocol }) => protocol === "udp")?.port ?? 0;
    this.node = createMediaNode({
      ...this.#shared,
      nodeId: "node",
      plane: this.plane,
      certificate: generateCertificate(),
      bus: this.mediaPart.bus,
      clock: this.mediaPart.clock,
      config: { addresses: [{ ip: "127.0.0.1", udpPort, tcpPort: 0 }] },
    });
    const onBus = { ...this.#shared, bus: this.bus, clock: realClock, tokens: this.#tokens };
    this.api = createApi({
      ...onBus,
      config: {
        host: "127.0.0.1",
        port: 0,
        corsOrigins: ["*"],
        maxSdpBytes: 65_536,
        joinsPerSecondPerAddress: 1_000,
        maxSessions: 1_000,
      },
    });
    this.#gateway = createGateway(defaultGatewayConfig, { ...onBus, ownerId: "gateway", serverVersion: "0" });
  }

  static async start(): Promise<Server> {
    const server = new Server();
    server.node.start();
    server.addSignaling();
    server.api.server.on("upgrade", (request, socket, head) => {
      server.#gateway.handleUpgrade(request, socket, head);
    });
    await server.api.start();
    await until(() => server.signalingParts[0]?.signaling.liveNodes === 1, {
      what: "signaling hears the media node",
      deadlineMs: 5_000,
    });
    return server;
  }

  /** The first owns the rooms; others stand by. */
  addSignaling(): Signaling {
    const part = new PausablePart(this.bus, realClock);
    const signaling = createSignaling({
      ...this.#shared,
      bus: part.bus,
      clock: part.clock,
      config: { ufragKey },
    });
    signaling.start();
    this.signalingParts.push({ part, signaling });
    return signaling;
  }

  get first(): { readonly part: PausablePart; readonly signaling: Signaling } {
    const [first] = this.signalingParts;
    assert.ok(first);
    return first;
  }

  async publish(): Promise<void> {
    await this.#join("/v1/whip/room?stream=cam", "camera");
  }

  /** Resolves when the viewer has been answered; media comes later. */
  async watch(): Promise<{ readonly location: string }> {
    this.#viewers += 1;
    return this.#join("/v1/whep/room/cam", `viewer${this.#viewers}`);
  }

  async #join(path: string, user: string): Promise<{ readonly location: string }> {
    const local = newCredentials();
    const ssrcs = user === "camera" ? newSsrcs() : undefined;
    const options = { ...local, srtpProfile: 7, gro: false };
    const id =
      ssrcs === undefined
        ? this.client.addSubscriber(options)
        : this.client.addPublisher({ ...options, ...ssrcs, profile: "burst" });
    const media = ssrcs === undefined ? { receivePairs: 1 } : { camera: ssrcs };
    const response = await this.fetch("POST", path, user, makeOffer(local, this.client.fingerprint(), media));
    const answer = await response.text();
    assert.equal(response.status, 201, answer);
    assert.equal(this.client.connect(id, readAnswer(answer).remote), 0);
    return { location: response.headers.get("location") ?? "" };
  }

  fetch(method: string, path: string, user: string, body?: string): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token(user)}`, "content-type": "application/sdp" };
    return fetch(new URL(path, this.api.url), { method, headers, ...(body === undefined ? {} : { body }) });
  }

  async metrics(): Promise<string> {
    return (await this.#shared.metrics.collect()).text;
  }

  async enter(user: string): Promise<Room> {
    const room = new Room();
    this.#rooms.push(room);
    await room.connect(this.api.url.replace(/^http/, "ws"), this.#token(user), { name: user });
    return room;
  }

  #token(user: string): string {
    const claims: TokenClaims = {
      iss: app.key,
      sub: user,
      room: "room",
      exp: Math.ceil(Date.now() / 1000) + 600,
      publish: true,
      subscribe: true,
    };
    return mintToken(claims, app.secret);
  }

  async untilAllWatch(phases?: Phases): Promise<void> {
    await until(() => this.client.states().withMedia === this.#viewers, {
      what: `${this.#viewers} viewers have media`,
      deadlineMs: 5_000,
      intervalMs: 10,
      describe: () => this.client.states(),
      ...(phases === undefined ? {} : { phases }),
    });
  }

  /** Runs `events` while media is counted: none is lost, and no viewer waits for it. The viewers must not change meanwhile. */
  async unharmed(events: () => Promise<void>): Promise<void> {
    const { client } = this;
    client.setSending(false);
    await wait(repairMs);
    client.beginWindow();
    client.setSending(true);
    await events();
    await wait(200);
    const { longestGapUs } = client.snapshot();
    client.setSending(false);
    await wait(repairMs);
    const snapshot = client.snapshot();
    client.setSending(true);
    const about = JSON.stringify({ ...client.states(), ...snapshot });
    assert.equal(client.states().failed, 0, about);
    assert.ok(snapshot.published > 100, about);
    assert.equal(snapshot.distinct, snapshot.published * this.#viewers, `packets were lost: ${about}`);
    assert.ok(longestGapUs < longestGapMs * 1000, `a viewer waited ${Math.round(longestGapUs / 1000)} ms: ${about}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const room of this.#rooms) await room.disconnect().catch(() => undefined);
    this.client.close();
    this.#gateway.close();
    await this.api.close();
    for (const { signaling } of this.signalingParts) signaling.close();
    this.node.close();
    await this.plane.close();
    await this.bus.close();
  }
}

async function withTwoViewers(): Promise<Server> {
  const server = await Server.start();
  await server.publish();
  await server.watch();
  await server.watch();
  await server.untilAllWatch();
  return server;
}

const names = (room: Room): string[] => [...room.remoteParticipants.values()].map(({ name }) => name).toSorted();

test("[SIG-4] signaling is paused for 2 s: media flows, then the same rooms go on", limit, async () => {
  await using server = await withTwoViewers();
  const ann = await server.enter("ann");
  const { part, signaling } = server.first;
  await server.unharmed(async () => {
    part.pause();
    await wait(2_000);
    part.resume();
    // Long enough for whatever a process that slept might take for other people's silence.
    await wait(1_500);
  });
  assert.equal(signaling.rooms, 1);
  const bob = await server.enter("bob");
  await until(() => names(ann).includes("bob"), {
    what: "ann sees bob",
    deadlineMs: 2_000,
    describe: () => names(ann),
  });
  assert.ok(names(bob).includes("ann"));
  await server.watch();
  await server.untilAllWatch();
});

test(
  "[SIG-4] signaling is killed: media flows, another takes the rooms over, and people come and go",
  limit,
  async () => {
    await using server = await withTwoViewers();
    const ann = await server.enter("ann");
    const second = server.addSignaling();
    const phases = new Phases();
    const viewer = await server.watch();
    await server.untilAllWatch();
    await server.unharmed(async () => {
      server.first.part.kill();
      phases.mark("killed");
      await until(() => second.rooms === 1, { what: "the other one has the room", deadlineMs: 5_000, phases });
      phases.mark("taken over");
      await wait(1_500);
    });
    const bob = await server.enter("bob");
    phases.mark("bob is in");
    await until(() => names(ann).includes("bob"), {
      what: "ann, who was there before, sees bob",
      deadlineMs: 5_000,
      phases,
      describe: () => names(ann),
    });
    await until(() => names(bob).includes("ann"), {
      what: "bob sees ann",
      deadlineMs: 5_000,
      phases,
      describe: () => names(bob),
    });
    await server.watch();
    await server.untilAllWatch(phases);
    const left = await server.fetch("DELETE", viewer.location, "viewer3");
    assert.equal(left.status, 200, await left.text());
    await bob.disconnect();
    await until(() => !names(ann).includes("bob"), { what: "ann sees bob leave", deadlineMs: 3_000, phases });
  },
);

test("[SIG-4] an owner that slept for 3 s while another took over writes nothing any more", limit, async () => {
  await using server = await withTwoViewers();
  const second = server.addSignaling();
  const { part, signaling } = server.first;
  await server.unharmed(async () => {
    part.pause();
    await until(() => second.rooms === 1, { what: "the other one has the room", deadlineMs: 5_000 });
    await wait(500);
    part.resume();
    await until(() => signaling.rooms === 0, { what: "the sleeper lets go", deadlineMs: 2_000 });
    await wait(1_000);
  });
  assert.equal(second.rooms, 1);
  await server.watch();
  await server.untilAllWatch();
});

test(
  "[SIG-4] a join that an owner slept over is carried out once: the sleeper wakes, does it too, and the node refuses its grant",
  limit,
  async () => {
    await using server = await withTwoViewers();
    const second = server.addSignaling();
    const { part, signaling } = server.first;
    part.pause();
    // It waits in the sleeper's queue, and is asked again of whoever owns the room then.
    const joining = server.watch();
    await until(() => second.rooms === 1, { what: "the other one has the room", deadlineMs: 5_000 });
    await joining;
    await server.untilAllWatch();
    const { sessions } = server.node;
    assert.equal(sessions, 4);
    part.resume();
    await until(() => signaling.rooms === 0, { what: "the sleeper lets go", deadlineMs: 2_000 });
    await wait(500);
    assert.equal(server.node.sessions, sessions, "no session that nobody asked for");
    assert.match(await server.metrics(), /^parley_media_grants_total\{[^}]*"fenced"[^}]*\} [1-9]/m);
    await server.unharmed(() => wait(800));
  },
);

test("[SIG-2] a join is answered while the media node is paused, and media comes when it goes on", limit, async () => {
  await using server = await withTwoViewers();
  const phases = new Phases();
  server.mediaPart.pause();
  phases.mark("paused");
  const going = wait(300).then(() => {
    server.mediaPart.resume();
    phases.mark("goes on");
  });
  const bob = server.enter("bob").then(() => void phases.mark("bob is in"));
  await server.watch();
  phases.mark("answered");
  await bob;
  await going;
  assert.ok(phases.between("answered", "goes on") > 0, `the answer waited for the node; ${phases.toString()}`);
  assert.ok(phases.between("bob is in", "goes on") > 0, `the join waited for the node; ${phases.toString()}`);
  await server.untilAllWatch(phases);
});
