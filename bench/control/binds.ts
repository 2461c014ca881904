import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { createLocalBus, type LocalBus } from "@parley/adapter-bus-local";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import { CryptoRandom, systemClock } from "@parley/adapter-system";
import {
  generateCertificate,
  openMediaLoad,
  startNativePlane,
  type NativeMediaPlane,
} from "@parley/adapter-media-native";
import { connectPeer, makeOffer, newCredentials, newSsrcs, sleep, until } from "@parley/app";
import { subjects } from "@parley/foundation";
import {
  ConnectionPresenceSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  type Joined,
  type OpenSessionSchema,
  type RoomRequestSchema,
} from "@parley/protocol";
import { createMediaNode } from "@parley/service-media";
import { createSignaling } from "@parley/service-signaling";
import { nullLogger } from "@parley/testing";

export interface BindFigures {
  readonly binds: number;
  /** One after the other, each from the command on the bus until its command left for the data plane. */
  readonly bindP50Us: number;
  readonly bindP99Us: number;
  /** Time of the thread that runs JavaScript for a bind with all that follows: the answer, the node's status, the events. */
  readonly cpuUsPerBind: number;
  /** As many as one thread could do. */
  readonly bindsPerSecond: number;
}

type Method = NonNullable<Exclude<MessageInitShape<typeof RoomRequestSchema>, { $typeName: string }>["method"]>;

type SessionsInit = Exclude<MessageInitShape<typeof OpenSessionSchema>, { $typeName: string }>[];

const appId = "bench";
const roomId = "bench";
const gcm = 7;
const warmupBinds = 1_000;
/** As the gateway announces its connections, but for a busy machine more often. */
const presenceMs = 500;
/** A bind that takes so long is lost. */
const lateMs = 5_000;

/** Signaling, bus and media node in this process, with a real data plane and connected peers: no fake is in the way that is measured. */
export async function measureBinds(binds: number, subscribers: number): Promise<BindFigures> {
  const stage = await Stage.start();
  try {
    const streams = [await stage.publish("one"), await stage.publish("two")];
    const viewers: string[] = [];
    for (let index = 0; index < subscribers; index++) viewers.push(await stage.watch(`viewer-${index}`));
    const waits: number[] = [];
    // Each viewer goes to and fro: only a change has a command for the data plane.
    const change = (index: number): Promise<number> =>
      stage.bind(viewers[index % subscribers], streams[Math.floor(index / subscribers) % 2]);
    for (let index = 0; index < warmupBinds; index++) await change(index);
    await sleep(200);
    const cpuBefore = process.threadCpuUsage();
    for (let index = 0; index < binds; index++) waits.push(await change(warmupBinds + index));
    const cpu = process.threadCpuUsage(cpuBefore);
    waits.sort((a, b) => a - b);
    const cpuUsPerBind = (cpu.user + cpu.system) / binds;
    return {
      binds,
      bindP50Us: Math.round((waits[Math.floor(binds / 2)] ?? 0) * 1000),
      bindP99Us: Math.round((waits[Math.floor(binds * 0.99)] ?? 0) * 1000),
      cpuUsPerBind: Math.round(cpuUsPerBind),
      bindsPerSecond: Math.round(1_000_000 / cpuUsPerBind),
    };
  } finally {
    await stage.close();
  }
}

class Stage {
  readonly #bus: LocalBus = createLocalBus({ clock: systemClock, logger: nullLogger });
  readonly #load = openMediaLoad();
  readonly #plane: NativeMediaPlane;
  readonly #close: (() => void)[];
  readonly #connections = new Set<string>();
  #requestId = 0n;
  #boundAtMs = 0;
  #onBound: (() => void) | undefined;

  private constructor() {
    const [random, clock, logger, bus] = [new CryptoRandom(), systemClock, nullLogger, this.#bus];
    const metrics = createPromMetrics({ processMetrics: undefined });
    const ufragKey = random.bytes(16);
    this.#plane = startNativePlane({ udpPort: 0, tcpPort: undefined, bind: ["127.0.0.1"], threads: 1, ufragKey });
    this.#watchBinds();
    const udpPort = this.#plane.endpoints[0]?.port ?? 0;
    const node = createMediaNode({
      ...{
        nodeId: "node",
        plane: this.#plane,
        certificate: generateCertificate(),
        bus,
        clock,
        random,
        logger,
        metrics,
      },
      config: { addresses: [{ ip: "127.0.0.1", udpPort, tcpPort: 0 }] },
    });
    const signaling = createSignaling({ bus, clock, random, logger, metrics, config: { ufragKey } });
    signaling.start();
    node.start();
    const presence = systemClock.every(presenceMs, () => this.#announce());
    this.#close = [() => presence.cancel(), () => node.close(), () => signaling.close()];
  }

  static async start(): Promise<Stage> {
    const stage = new Stage();
    // The lease is taken and the node has announced itself.
    await sleep(1_500);
    return stage;
  }

  /** The commands of a turn leave in the microtask after it; ours comes behind. */
  #watchBinds(): void {
    const plane = this.#plane;
    const bindSlot = plane.bindSlot.bind(plane);
    plane.bindSlot = (...args) => {
      bindSlot(...args);
      queueMicrotask(() => {
        this.#boundAtMs = performance.now();
        this.#onBound?.();
      });
    };
  }

  /** Returns the stream's id. */
  async publish(name: string): Promise<number> {
    const [ice, camera] = [newCredentials(), newSsrcs()];
    const id = this.#load.addPublisher({
      ...ice,
      ...camera,
      profile: "spread",
      pace: 0.1,
      srtpProfile: gcm,
      gro: false,
    });
    const use = { case: "publish", value: { stream: name } } as const;
    const joined = await this.#join(name, makeOffer(ice, this.#load.fingerprint(), { camera }), [
      { mid: "0", use },
      { mid: "1", use },
    ]);
    this.#connect(id, joined);
    await until(`${name} is connected`, () => this.#load.state(id) === "connected");
    return joined.sessions[0]?.published[0]?.streamId ?? 0;
  }

  /** Returns the connection's id. */
  async watch(name: string): Promise<string> {
    const ice = newCredentials();
    const id = this.#load.addSubscriber({ ...ice, srtpProfile: gcm, gro: false });
    const use = { case: "receive", value: { pair: 0 } } as const;
    const joined = await this.#join(name, makeOffer(ice, this.#load.fingerprint(), { receivePairs: 1 }), [
      { mid: "0", use },
      { mid: "1", use },
    ]);
    this.#connect(id, joined);
    await until(`${name} is connected`, () => this.#load.state(id) === "connected");
    return name;
  }

  /** Milliseconds until the command has left. */
  async bind(connectionId = "", streamId = 0): Promise<number> {
    const bound = new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${connectionId} was not bound within ${lateMs} ms`)), lateMs);
      this.#onBound = () => {
        clearTimeout(late);
        resolve();
      };
    });
    const bindings = [{ mid: "1", streamId }];
    const command = this.#encode(connectionId, { case: "bindSlots", value: { session: "main", bindings } });
    const beganMs = performance.now();
    const answered = this.#send(command);
    await bound;
    const tookMs = this.#boundAtMs - beganMs;
    await answered;
    // What follows has its turn.
    await new Promise((resolve) => setImmediate(resolve));
    return tookMs;
  }

  async close(): Promise<void> {
    this.#load.close();
    for (const close of this.#close) close();
    await this.#plane.close();
    await this.#bus.close();
  }

  /** Rooms forget who is not announced. */
  #announce(): void {
    const connections = [...this.#connections].map((connectionId) => ({ appId, connectionId, roomIds: [roomId] }));
    const presence = create(ConnectionPresenceSchema, { ownerId: "bench", connections });
    this.#bus.publish(subjects.connectionPresence, toBinary(ConnectionPresenceSchema, presence));
  }

  #connect(id: number, joined: Joined): void {
    connectPeer(this.#load, id, joined.sessions[0]?.answerSdp ?? "");
  }

  async #join(
    connectionId: string,
    offerSdp: string,
    sections: NonNullable<SessionsInit[number]["sections"]>,
  ): Promise<Joined> {
    this.#connections.add(connectionId);
    const sessions: SessionsInit = [{ session: "main", offerSdp, sections }];
    const response = await this.#send(this.#encode(connectionId, { case: "join", value: { sessions } }));
    if (response.case !== "joined")
      throw new Error(`${connectionId} could not join: ${JSON.stringify(response.value)}`);
    return response.value;
  }

  #encode(connectionId: string, method: Method): Uint8Array {
    const permissions = { publish: true, subscribe: true };
    const command = create(RoomCommandSchema, {
      ...{ appId, roomId, connectionId, userId: connectionId, requestId: ++this.#requestId, localIp: "127.0.0.1" },
      grants: { create: true, permissions },
      request: { roomId, method },
    });
    return toBinary(RoomCommandSchema, command);
  }

  async #send(command: Uint8Array) {
    const reply = await this.#bus.request(subjects.roomCommand(appId, roomId), command, { timeoutMs: 2_000 });
    const { result } = fromBinary(RoomCommandReplySchema, reply);
    if (result.case !== "response") throw new Error(`refused: ${JSON.stringify(result.value)}`);
    return result.value.result;
  }
}
