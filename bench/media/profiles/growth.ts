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
/** All sizes so many times by turns, and then one thread of the data plane against two: the machine's speed moves more than what is compared. */
const rounds = 3;
const comparedSize = 200;
const comparisons = 5;
/** What 2,000 joins leave behind for V8 to compile and to collect is the joins', which are measured elsewhere. */
const settleMs = 5_000;
/** With windows shorter than this nobody wants figures, only to see that it runs. */
const comparedFromS = 4;

interface Step {
  readonly subscribers: number;
  readonly threads: number;
  readonly cpuUsPerPacket: number;
  readonly floorUsPerPacket: number;
  readonly kbPerSubscriber: number;
  readonly segmentsPerSend: number;
  readonly lost: number;
  readonly p99Us: number;
  readonly void: string | undefined;
}

/** Profile `growth`: the same packets per second in all, to few viewers or to many; and with two threads of the data plane. */
export async function growth(options: MediaBenchOptions): Promise<Figures> {
  const most = Math.max(...sizes.filter((size) => size <= largest(options)));
  await requireDescriptors(most * 2, `${most} viewers`);
  const grown = sizes.filter((size) => size <= most);
  const steps: Step[] = [];
  const short = { ...options, seconds: Math.ceil(options.seconds / 2) };
  const turns = (count: number): number => (options.seconds >= comparedFromS ? count : 1);
  const measure = async (subscribers: number, threads: number): Promise<Step> => {
    const step = await withStand({ ...short, threads }, (stand) => measureStep(stand, subscribers, threads));
    steps.push(step);
    return step;
  };
  const bySize = new Map<number, Step[]>(grown.map((size) => [size, []]));
  for (let turn = 0; turn < turns(rounds); turn += 1) {
    for (const [size, measured] of bySize) measured.push(await measure(size, 1));
  }
  const threads: number[] = [];
  while (threads.length < turns(comparisons)) {
    const one = await measure(comparedSize, 1);
    const two = await measure(comparedSize, 2);
    threads.push(two.cpuUsPerPacket / one.cpuUsPerPacket);
  }
  const medians = (figure: (step: Step) => number): number[] =>
    [...bySize.values()].map((measured) => median(measured.map(figure)));
  const reason = steps.find((step) => step.void !== undefined)?.void;
  return {
    profile: options.profile,
    camera: options.camera,
    srtp: options.srtp,
    totalPacketsPerSecond: options.totalPacketsPerSecond,
    highestToLowest: highestToLowest(medians(({ cpuUsPerPacket }) => cpuUsPerPacket)),
    ...growthOf(bySize),
    twoThreadsToOne: round(median(threads), 2),
    steps: steps.map((step) => ({
      ...step,
      cpuUsPerPacket: round(step.cpuUsPerPacket, 3),
      floorUsPerPacket: round(step.floorUsPerPacket, 3),
      ratioToFloor: round(timesFloor(step), 2),
      kbPerSubscriber: round(step.kbPerSubscriber, 1),
    })),
    ...(reason === undefined ? {} : { void: reason }),
  };
}

function timesFloor({ cpuUsPerPacket, floorUsPerPacket }: Step): number {
  return cpuUsPerPacket / floorUsPerPacket;
}

/** From the fewest viewers to the most: of the cost, of the floor, and of the cost as a multiple of the floor. */
function growthOf(bySize: ReadonlyMap<number, readonly Step[]>): Figures {
  const grown = (figure: (step: Step) => number): number => {
    const ends = [...bySize.values()].map((measured) => median(measured.map(figure)));
    return round((ends.at(-1) ?? Number.NaN) / (ends[0] ?? Number.NaN), 2);
  };
  return {
    growth: grown(({ cpuUsPerPacket }) => cpuUsPerPacket),
    floorGrowth: grown(({ floorUsPerPacket }) => floorUsPerPacket),
    growthToFloor: grown(timesFloor),
  };
}

function highestToLowest(values: readonly number[]): number {
  return round(Math.max(...values) / Math.min(...values), 2);
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
    await sleep(settleMs);
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
      segmentsPerSend: round(window.segmentsPerSend, 2),
      lost: Math.max(0, snapshot.published * subscribers - snapshot.distinct),
      p99Us: snapshot.p99Us,
      void: window.void ?? floorVoid(floor),
    };
  } finally {
    camera.close();
  }
}
