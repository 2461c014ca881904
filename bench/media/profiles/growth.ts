import { LoadPeers, measureWindow, requireDescriptors, sleep } from "@parley/app";
import { RoomKind } from "@parley/protocol";
import type { MediaBenchOptions } from "../arguments.ts";
import { Person } from "../person.ts";
import {
  cameraPacketsPerSecond,
  floorVoid,
  measureFloor,
  overheadBytesOf,
  peerOptions,
  round,
  withStand,
  type Figures,
  type Stand,
} from "../stand.ts";

const sizes = [50, 200, 500, 1_000, 2_000];
/** Where one thread of the data plane is compared with two. */
const comparedSize = 200;

interface Step {
  readonly subscribers: number;
  readonly threads: number;
  readonly cpuUsPerPacket: number;
  readonly floorUsPerPacket: number;
  readonly kbPerSubscriber: number;
  readonly lost: number;
  readonly p99Us: number;
  readonly void: string | undefined;
}

/** Profile `growth`: the same packets per second in all, to few viewers or to many; and with two threads of the data plane. */
export async function growth(options: MediaBenchOptions): Promise<Figures> {
  const most = Math.max(...sizes.filter((size) => size <= largest(options)));
  await requireDescriptors(most * 2, `${most} viewers`);
  const steps: Step[] = [];
  for (const size of sizes.filter((each) => each <= most)) {
    steps.push(await withStand({ ...options, threads: 1 }, (stand) => measureStep(stand, size, 1)));
  }
  const two = await withStand({ ...options, threads: 2 }, (stand) => measureStep(stand, comparedSize, 2));
  const one = steps.find(({ subscribers }) => subscribers === comparedSize);
  const costs = steps.map(({ cpuUsPerPacket }) => cpuUsPerPacket);
  const reason = [...steps, two].find((step) => step.void !== undefined)?.void;
  return {
    profile: options.profile,
    camera: options.camera,
    srtp: options.srtp,
    totalPacketsPerSecond: options.totalPacketsPerSecond,
    highestToLowest: round(Math.max(...costs) / Math.min(...costs), 2),
    twoThreadsToOne: one === undefined ? undefined : round(two.cpuUsPerPacket / one.cpuUsPerPacket, 2),
    steps: [...steps, two].map((step) => ({
      ...step,
      cpuUsPerPacket: round(step.cpuUsPerPacket, 3),
      floorUsPerPacket: round(step.floorUsPerPacket, 3),
      ratioToFloor: round(step.cpuUsPerPacket / step.floorUsPerPacket, 2),
      kbPerSubscriber: round(step.kbPerSubscriber, 1),
    })),
    ...(reason === undefined ? {} : { void: reason }),
  };
}

/** `--subscribers` cuts the list short; its default of 100 does not. */
function largest({ subscribers }: MediaBenchOptions): number {
  return subscribers === 100 ? Number.POSITIVE_INFINITY : Math.max(subscribers, comparedSize);
}

async function measureStep(stand: Stand, subscribers: number, threads: number): Promise<Step> {
  const { options, server, load, say } = stand;
  const pace = options.totalPacketsPerSecond / subscribers / cameraPacketsPerSecond;
  const shape = peerOptions(options, pace);
  const host = { ...shape, user: "host", sends: true, receivePairs: 0, kind: RoomKind.LIVE_CLASS };
  const camera = await Person.join(server, load, "crowd", host);
  try {
    const peers = new LoadPeers(server, load, shape, "crowd");
    await peers.warmUp(Math.min(options.warmupJoins, 100));
    const pssBeforeKb = await server.usage.pssKb();
    await peers.join(subscribers);
    await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= subscribers);
    say(`${subscribers} viewers, ${threads} threads, measuring for ${options.seconds} s`);
    await sleep(2_000);
    const window = await measureWindow(server, load, { seconds: options.seconds, pace });
    const kbPerSubscriber = ((await server.usage.pssKb()) - pssBeforeKb) / subscribers;
    const overheadBytes = overheadBytesOf(window);
    const floor = await measureFloor(stand, { mode: "segments", overheadBytes, subscribers, pace });
    const { snapshot } = window;
    return {
      subscribers,
      threads,
      cpuUsPerPacket: window.usage.cpuUs / snapshot.distinct,
      floorUsPerPacket: floor.cpuUs / floor.datagrams,
      kbPerSubscriber,
      lost: Math.max(0, snapshot.published * subscribers - snapshot.distinct),
      p99Us: snapshot.p99Us,
      void: window.void ?? floorVoid(floor),
    };
  } finally {
    camera.close();
  }
}
