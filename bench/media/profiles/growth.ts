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
/** Where one thread of the data plane is compared with two, and how many times by turns: the machine's speed moves more than what is compared. */
const comparedSize = 200;
const comparisons = 5;
/** With windows shorter than this nobody wants figures, only to see that it runs. */
const comparedFromS = 4;

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
  const pairs = await compareThreads(options);
  const costs = steps.map(({ cpuUsPerPacket }) => cpuUsPerPacket);
  const reason = [...steps, ...pairs.flat()].find((step) => step.void !== undefined)?.void;
  return {
    profile: options.profile,
    camera: options.camera,
    srtp: options.srtp,
    totalPacketsPerSecond: options.totalPacketsPerSecond,
    highestToLowest: round(Math.max(...costs) / Math.min(...costs), 2),
    twoThreadsToOne: round(median(pairs.map(([one, two]) => two.cpuUsPerPacket / one.cpuUsPerPacket)), 2),
    steps: [...steps, ...pairs.flat()].map((step) => ({
      ...step,
      cpuUsPerPacket: round(step.cpuUsPerPacket, 3),
      floorUsPerPacket: round(step.floorUsPerPacket, 3),
      ratioToFloor: round(step.cpuUsPerPacket / step.floorUsPerPacket, 2),
      kbPerSubscriber: round(step.kbPerSubscriber, 1),
    })),
    ...(reason === undefined ? {} : { void: reason }),
  };
}

/** One thread, two, one, two, ... in windows half as long as the others'. */
async function compareThreads(options: MediaBenchOptions): Promise<readonly (readonly [one: Step, two: Step])[]> {
  const pairs: (readonly [Step, Step])[] = [];
  const short = { ...options, seconds: Math.ceil(options.seconds / 2) };
  const measure = (threads: number): Promise<Step> =>
    withStand({ ...short, threads }, (stand) => measureStep(stand, comparedSize, threads));
  const turns = options.seconds >= comparedFromS ? comparisons : 1;
  while (pairs.length < turns) pairs.push([await measure(1), await measure(2)]);
  return pairs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
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
