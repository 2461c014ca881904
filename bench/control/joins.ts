import { openMediaLoad } from "@parley/adapter-media-native";
import { LoadPeers, ServerProcess, sleep, type ThreadUsage } from "@parley/app";

export interface JoinFigures {
  readonly joins: number;
  readonly joinsPerSecond: number;
  /** All threads of the server. */
  readonly cpuMsPerJoin: number;
  /** JavaScript, with what it calls: HTTP, SDP, ICE, DTLS. */
  readonly mainMsPerJoin: number;
  /** V8's own threads: garbage and compilation. */
  readonly v8MsPerJoin: number;
  readonly dataPlaneMsPerJoin: number;
  /** From the connect call of the load client to keys on both sides. */
  readonly connectP50Ms: number;
  readonly connectP99Ms: number;
}

/** V8 compiles, and its heap finds its size: after 500 its compiler still takes some 0.3 ms of each join, at 200 a second for the first seconds. */
const warmupJoins = 1_500;
/** Work of the last joins that is still on its way: reports, closing timers. */
const settleMs = 300;

/** Viewers who join one stream over WHEP, a few at a time, while nothing is sent. */
export async function measureJoins(joins: number): Promise<JoinFigures> {
  const load = openMediaLoad();
  const server = await ServerProcess.start();
  try {
    const peers = new LoadPeers(server, load, { srtp: "gcm", gro: false, camera: "burst", pace: 1 });
    await peers.publish();
    load.setSending(false);
    await peers.warmUp(warmupJoins);
    const before = await server.usage.threads();
    const cpuBeforeUs = await server.usage.cpuUs();
    const beganMs = performance.now();
    await peers.join(joins);
    const tookMs = performance.now() - beganMs;
    await sleep(settleMs);
    const after = await server.usage.threads();
    const cpuUs = (await server.usage.cpuUs()) - cpuBeforeUs;
    const { connectP50Us, connectP99Us } = load.snapshot();
    await peers.leaveAll();
    const perJoin = (which: (thread: ThreadUsage) => boolean): number =>
      round((timeOf(after, which) - timeOf(before, which)) / 1000 / joins);
    return {
      joins,
      joinsPerSecond: Math.round((joins * 1000) / tookMs),
      cpuMsPerJoin: round(cpuUs / 1000 / joins),
      mainMsPerJoin: perJoin(({ isMain }) => isMain),
      v8MsPerJoin: perJoin(({ name }) => name.startsWith("V8Worker")),
      dataPlaneMsPerJoin: perJoin(({ name }) => name.startsWith("parley-")),
      connectP50Ms: round(connectP50Us / 1000),
      connectP99Ms: round(connectP99Us / 1000),
    };
  } finally {
    load.close();
    await server.stop();
  }
}

function timeOf(threads: readonly ThreadUsage[], which: (thread: ThreadUsage) => boolean): number {
  return threads.filter(which).reduce((sum, { cpuUs }) => sum + cpuUs, 0);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
