import { coresStayed, LoadPeers, measureWindow, requireDescriptors, sleep, type MediaWindow } from "@parley/app";
import type { MediaBenchOptions } from "../arguments.ts";
import type { BusyReport } from "../busy-loop.ts";
import { median, peerOptions, round, trust, withStand, type Figures, type Stand } from "../stand.ts";

/** A machine that is held up by others for some milliseconds in each of some seconds spoils one of these and not the figure. */
const windowCount = 5;
/** At most; more are taken while there are too few with the cores as near to each other as they were at best. */
const mostWindows = 12;

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
  const seconds = Math.max(1, Math.round(options.seconds / windowCount));
  // With less time nobody wants figures, only to see that it runs.
  const [wanted, most] = options.seconds < windowCount ? [1, 1] : [windowCount, mostWindows];
  say(`pace ${pace}, measuring for ${wanted} times ${seconds} s with a busy JavaScript thread`);
  const windows: MediaWindow[] = [];
  while (windows.length < wanted || (nearest(windows).length < wanted && windows.length < most)) {
    windows.push(await measureWindow(server, load, { seconds, pace }));
  }
  const busy = server.lastWord as BusyReport | undefined;
  return {
    profile: options.profile,
    camera: options.camera,
    subscribers: options.subscribers,
    srtp: options.srtp,
    pace,
    realtime: options.realtime,
    scheduling: scheduling?.policy === "normal" && scheduling.nice < 0 ? "nice" : scheduling?.policy,
    ...delays(options, windows),
    busyShare: round(busy?.busyShare ?? Number.NaN, 3),
    collections: busy?.collections,
    longestCollectionMs: round(busy?.longestCollectionMs ?? Number.NaN, 1),
    cameraRealtime: raised,
  };
}

const farthestNs = ({ coreDistancesNs }: MediaWindow): number => Math.max(...coreDistancesNs);

/** Those in which the load kept up and the cores were as near to each other as in any of them. */
function nearest(windows: readonly MediaWindow[]): readonly MediaWindow[] {
  const kept = windows.filter((window) => window.void === undefined);
  const leastNs = Math.min(...kept.map(farthestNs));
  return kept.filter((window) => coresStayed([leastNs, ...window.coreDistancesNs]));
}

/** The median of the windows that count. */
function delays({ camera, subscribers }: MediaBenchOptions, windows: readonly MediaWindow[]): Figures {
  const counting = nearest(windows);
  const reason = counting.length > 0 ? undefined : windows[0]?.void;
  const used = counting.length > 0 ? counting : windows;
  const middle = (figure: (window: MediaWindow) => number) => Math.round(median(used.map(figure)));
  const sum = (figure: (window: MediaWindow) => number) => windows.reduce((total, window) => total + figure(window), 0);
  const frameP50Us = middle(({ snapshot }) => snapshot.frameP50Us);
  const typical = used.toSorted((a, b) => a.snapshot.lastP99Us - b.snapshot.lastP99Us)[Math.floor(used.length / 2)];
  return {
    lastP50Us: middle(({ snapshot }) => snapshot.lastP50Us),
    lastP99Us: middle(({ snapshot }) => snapshot.lastP99Us),
    lastP999Us: middle(({ snapshot }) => snapshot.lastP999Us),
    lastMaxUs: Math.max(...windows.map(({ snapshot }) => snapshot.lastMaxUs)),
    windowsThatCount: used.length,
    /** With the distance of the cores before and after. */
    lastP99UsByWindow: windows.map(({ snapshot, coreDistancesNs }) => [snapshot.lastP99Us, ...coreDistancesNs]),
    ...(camera === "burst"
      ? { burstSendP50Us: frameP50Us, burstSendP99Us: middle(({ snapshot }) => snapshot.frameP99Us) }
      : {}),
    barUs: Math.round(barUs + (camera === "burst" ? ownSendTimes * frameP50Us : 0)),
    fanOuts: sum(({ snapshot }) => snapshot.fanOuts),
    incompleteFanOuts: sum(({ snapshot }) => snapshot.incompleteFanOuts),
    lost: sum(({ snapshot }) => Math.max(0, snapshot.published * subscribers - snapshot.distinct)),
    packetsPerSecond: middle(({ snapshot, sending }) => (snapshot.distinct * 1_000_000) / sending.elapsedUs),
    ...(typical === undefined ? {} : trust({ ...typical, void: reason })),
  };
}
