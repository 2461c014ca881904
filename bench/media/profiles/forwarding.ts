import { LoadPeers, requireDescriptors, sleep, type MediaWindow, type ServerProcess } from "@parley/app";
import type { FloorResult } from "@parley/adapter-media-native";
import type { MediaBenchOptions } from "../arguments.ts";
import {
  floorVoid,
  measureFloor,
  measureWithFloor,
  overheadBytesOf,
  peerOptions,
  round,
  trust,
  withStand,
  type Figures,
  type Stand,
} from "../stand.ts";

/** Profiles `burst` and `spread`: one camera, many viewers; what a forwarded packet costs, and memory and CPU of a viewer. */
export async function forwarding(options: MediaBenchOptions): Promise<Figures> {
  // Twice as many for the figure of memory, and the floor's.
  await requireDescriptors(
    options.subscribers * 3,
    `${options.subscribers} viewers, as many again for memory, and as many sockets for the floor`,
  );
  return await withStand(options, run);
}

async function run(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const peers = new LoadPeers(server, load, peerOptions(options, options.pace ?? 1));
  const n = options.subscribers;
  await peers.publish();
  load.setSending(false);
  say(`warm-up: ${options.warmupJoins} joins and leaves`);
  await peers.warmUp(options.warmupJoins);

  const cpuBeforeJoins = await server.usage.cpuUs();
  await peers.join(n);
  const cpuMsPerJoin = ((await server.usage.cpuUs()) - cpuBeforeJoins) / 1000 / n;
  say(`${n} viewers joined: ${cpuMsPerJoin.toFixed(2)} ms of CPU each`);

  load.setSending(true);
  await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= n);
  // Reports and feedback have found their pace.
  await sleep(1_000);
  say(`measuring for ${options.seconds} s`);
  const pace = options.pace ?? 1;
  const shape = { subscribers: n, pace };
  const { window, floor } = await measureWithFloor(stand, { seconds: options.seconds, pace }, (taken) =>
    measureFloor(stand, { ...shape, overheadBytes: overheadBytesOf(taken), mode: "segments" }),
  );

  load.setSending(true);
  const pssAtN = await lowestPssKb(server);
  // Twice as many may be more than a small machine stands; their joins need not suffer from that.
  load.setSending(false);
  await peers.join(n);
  const kbPerIdleSubscriber = ((await lowestPssKb(server)) - pssAtN) / n;
  load.setSending(true);
  await peers.untilStates("the further viewers see the camera", ({ withMedia }) => withMedia >= 2 * n);
  const kbPerSubscriber = ((await lowestPssKb(server)) - pssAtN) / n;

  load.setSending(false);
  await peers.leaveAll();
  const sendto = await measureFloor(stand, { ...shape, overheadBytes: overheadBytesOf(window), mode: "sendto" });
  return report(options, { window, floor, sendto, kbPerIdleSubscriber, kbPerSubscriber, cpuMsPerJoin });
}

/** Over three seconds: what V8 has not collected yet comes and goes. */
async function lowestPssKb(server: ServerProcess): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 6; i += 1) {
    await sleep(500);
    lowest = Math.min(lowest, await server.usage.pssKb());
  }
  return lowest;
}

interface Results {
  readonly window: MediaWindow;
  readonly floor: FloorResult;
  readonly sendto: FloorResult;
  readonly kbPerIdleSubscriber: number;
  readonly kbPerSubscriber: number;
  readonly cpuMsPerJoin: number;
}

function report(options: MediaBenchOptions, results: Results): Figures {
  const { window, floor, sendto } = results;
  const { snapshot } = window;
  const cpuUsPerPacket = window.usage.cpuUs / snapshot.distinct;
  const floorUsPerPacket = floor.cpuUs / floor.datagrams;
  const reason = window.void ?? floorVoid(floor);
  return {
    subscribers: options.subscribers,
    profile: options.profile,
    srtp: options.srtp,
    cpuUsPerPacket: round(cpuUsPerPacket, 3),
    floorUsPerPacket: round(floorUsPerPacket, 3),
    sendtoUsPerPacket: round(sendto.cpuUs / sendto.datagrams, 3),
    ratioToFloor: round(cpuUsPerPacket / floorUsPerPacket, 2),
    segmentsPerSend: round(window.segmentsPerSend, 2),
    lost: Math.max(0, snapshot.published * options.subscribers - snapshot.distinct),
    rtxSent: snapshot.rtxReceived,
    nacksReceived: snapshot.nackMessages,
    twccReports: snapshot.transportReports,
    p50Us: snapshot.p50Us,
    p99Us: snapshot.p99Us,
    kbPerIdleSubscriber: round(results.kbPerIdleSubscriber, 1),
    kbPerSubscriber: round(results.kbPerSubscriber, 1),
    cpuMsPerJoin: round(results.cpuMsPerJoin, 2),
    // Not asked for, but they tell whether a run can be trusted.
    packets: snapshot.distinct,
    dropped: snapshot.dropped,
    repaired: snapshot.repaired,
    duplicates: snapshot.duplicates,
    authenticationFailures: snapshot.authenticationFailures,
    sendErrors: window.sendErrors,
    floorSegmentsPerSend: round(floor.datagrams / floor.messages, 2),
    floorDrained: round(floor.drained / floor.datagrams, 4),
    overheadBytes: overheadBytesOf(window),
    gro: options.gro,
    connectP50Ms: round(snapshot.connectP50Us / 1000, 1),
    connectP99Ms: round(snapshot.connectP99Us / 1000, 1),
    ...trust(window),
    ...(reason === undefined ? {} : { void: reason }),
  };
}
