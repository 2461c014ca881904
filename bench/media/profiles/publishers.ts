import { inParallel, LoadPeers, measureWindow, requireDescriptors, sleep } from "@parley/app";
import type { MediaBenchOptions } from "../arguments.ts";
import {
  cameraPacketsPerSecond,
  floorVoid,
  measureRelay,
  peerOptions,
  round,
  trust,
  withStand,
  type Figures,
  type Stand,
} from "../stand.ts";

const packetsPerSecond = 200;
const perRoom = 10;
/** Fixed header and the transport-wide number, padded; the tag of GCM. */
const overheadBytes = 12 + 8 + 16;

/** Profile `publishers`: many cameras that nobody watches; what a received packet costs against receiving the same datagrams and no more. */
export async function publishers(options: MediaBenchOptions): Promise<Figures> {
  await requireDescriptors(options.publishers * 2, `${options.publishers} cameras`);
  return await withStand(options, run);
}

async function run(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const pace = options.pace ?? packetsPerSecond / cameraPacketsPerSecond;
  const count = options.publishers;
  await inParallel(count, async (index) => {
    const peers = new LoadPeers(server, load, peerOptions(options, pace), `cameras-${Math.floor(index / perRoom)}`);
    await peers.publish(`camera-${index}`);
  });
  await sleep(2_000);
  say(`${count} cameras, measuring for ${options.seconds} s`);
  const window = await measureWindow(server, load, { seconds: options.seconds });
  load.setSending(false);
  say("measuring the floor");
  const floor = await measureRelay(stand, { people: 1, meetings: count, overheadBytes, pace, wait: "arrival" });
  const { snapshot, usage } = window;
  const cpuUsPerPacket = usage.cpuUs / snapshot.published;
  const floorUsPerPacket = floor.cpuUs / floor.received;
  const reason = window.void ?? floorVoid(floor);
  return {
    profile: options.profile,
    publishers: count,
    camera: options.camera,
    srtp: options.srtp,
    pace: round(pace, 3),
    cpuUsPerPacket: round(cpuUsPerPacket, 3),
    floorUsPerPacket: round(floorUsPerPacket, 3),
    ratioToFloor: round(cpuUsPerPacket / floorUsPerPacket, 2),
    packetsPerSecond: Math.round((snapshot.published * 1_000_000) / window.sending.elapsedUs),
    published: snapshot.published,
    // RTCP and checks included, so it may be more, never less.
    receivedDatagrams: window.receivedDatagrams,
    lost: Math.max(0, snapshot.published - window.receivedDatagrams),
    transportReportsPerSecond: Math.round((snapshot.publisherTransportReports * 1_000_000) / window.sending.elapsedUs),
    nacked: snapshot.publisherNacked,
    floorPacketsPerCall: round(floor.received / floor.calls, 2),
    floorReceived: round(floor.received / floor.offered, 4),
    ...trust(window),
    ...(reason === undefined ? {} : { void: reason }),
  };
}
