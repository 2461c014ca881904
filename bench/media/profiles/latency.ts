import { LoadPeers, measureWindow, requireDescriptors, sleep } from "@parley/app";
import type { MediaBenchOptions } from "../arguments.ts";
import type { BusyReport } from "../busy-loop.ts";
import { peerOptions, round, trust, withStand, type Figures, type Stand } from "../stand.ts";

/** Half load: the data plane's thread is busy half of the time. */
const halfLoad = 0.5;
const calibrationS = 2;
/** Faster than this its frames would be no bursts any more. */
const highestPace = 8;
/** The bar beside the burst's own send time, and what of the latter counts. */
const barUs = 1_000;
const ownSendTimes = 1.2;

/**
 * Profile `latency`: from a camera's send call to the last of the sends to its viewers, at half load, while the server's JavaScript thread is
 * kept busy on purpose and its garbage collector at work.
 */
export async function latency(options: MediaBenchOptions): Promise<Figures> {
  await requireDescriptors(options.subscribers, `${options.subscribers} viewers`);
  const pace = options.pace ?? (await paceOfHalfLoad(options));
  return await withStand(options, (stand) => run(stand, pace), {
    preload: new URL("../busy-loop.ts", import.meta.url),
  });
}

/** How often the camera has to send for half load, by how busy the data plane is at some other pace. */
async function paceOfHalfLoad(options: MediaBenchOptions): Promise<number> {
  // Batches grow with the load, so the second look is near where we want to be.
  let pace = 1;
  for (let look = 0; look < 2; look += 1) {
    const share = await withStand(options, async ({ server, load }) => {
      const peers = new LoadPeers(server, load, peerOptions(options, pace));
      await peers.publish();
      await peers.join(options.subscribers);
      await sleep(500);
      const { sending } = await measureWindow(server, load, { seconds: calibrationS, pace });
      return sending.share("parley-");
    });
    pace = Math.min(highestPace, round((pace * halfLoad) / Math.max(share, 0.01), 2));
  }
  return pace;
}

async function run(stand: Stand, pace: number): Promise<Figures> {
  const { options, server, load, say } = stand;
  const peers = new LoadPeers(server, load, peerOptions(options, pace));
  await peers.publish();
  await peers.join(options.subscribers);
  await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= options.subscribers);
  // What competes with the camera must not come between a packet's time stamp and its send call.
  const raised = load.raisePublishers();
  const scheduling = (await server.usage.threads()).find(({ name }) => name.startsWith("parley-"));
  server.signal("SIGUSR2");
  await sleep(1_000);
  load.watchFanOut(options.subscribers);
  say(`pace ${pace}, measuring for ${options.seconds} s with a busy JavaScript thread`);
  const window = await measureWindow(server, load, { seconds: options.seconds, pace });
  const busy = server.lastWord as BusyReport | undefined;
  const { snapshot } = window;
  return {
    profile: options.profile,
    camera: options.camera,
    subscribers: options.subscribers,
    srtp: options.srtp,
    pace,
    realtime: options.realtime,
    scheduling: scheduling?.policy === "normal" && scheduling.nice < 0 ? "nice" : scheduling?.policy,
    lastP50Us: snapshot.lastP50Us,
    lastP99Us: snapshot.lastP99Us,
    lastP999Us: snapshot.lastP999Us,
    lastMaxUs: snapshot.lastMaxUs,
    ...(options.camera === "burst" ? { burstSendP50Us: snapshot.frameP50Us, burstSendP99Us: snapshot.frameP99Us } : {}),
    barUs: Math.round(barUs + (options.camera === "burst" ? ownSendTimes * snapshot.frameP50Us : 0)),
    fanOuts: snapshot.fanOuts,
    incompleteFanOuts: snapshot.incompleteFanOuts,
    lost: Math.max(0, snapshot.published * options.subscribers - snapshot.distinct),
    busyShare: round(busy?.busyShare ?? Number.NaN, 3),
    collections: busy?.collections,
    longestCollectionMs: round(busy?.longestCollectionMs ?? Number.NaN, 1),
    cameraRealtime: raised,
    packetsPerSecond: Math.round((snapshot.distinct * 1_000_000) / window.sending.elapsedUs),
    ...trust(window),
  };
}
