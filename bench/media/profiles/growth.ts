import { coreDistanceNs, coresStayed, LoadPeers, measureWindow, requireDescriptors, sleep } from "@parley/app";
import { RoomKind } from "@parley/protocol";
import type { MediaBenchOptions } from "../arguments.ts";
import { Person } from "../person.ts";
import {
  cameraPacketsPerSecond,
  floorVoid,
  measureFloor,
  median,
  overheadBytesOf,
  peerOptions,
  round,
  withStand,
  type Figures,
  type Stand,
} from "../stand.ts";

/** What the others are compared with. */
const fewest = 50;
const sizes = [200, 500, 1_000, 2_000];
const comparedSize = 200;
/** Of each pair; the last size's have twice as many. */
const turns = 4;
/** Turns in which the cores moved are taken again, so many for each that is wanted at most. */
const attempts = 2;
/** What 2,000 joins leave behind for V8 to compile and to collect is the joins', which are measured elsewhere. */
const settleMs = 5_000;
/** With less time than this nobody wants figures, only to see that it runs. */
const comparedFromS = 4;

/** One window and the floor behind it. */
interface Sample {
  /** While the cameras sent. */
  readonly cpuUsPerPacket: number;
  readonly floorUsPerPacket: number;
  readonly segmentsPerSend: number;
  readonly lost: number;
  readonly p99Us: number;
  /** Before and after the window, and after the floor. */
  readonly coreDistancesNs: readonly number[];
  readonly void: string | undefined;
}

/** A server of its own with the viewers of one camera, which sends only while somebody measures. */
interface Crowd {
  readonly subscribers: number;
  readonly threads: number;
  readonly transportCc: boolean;
  readonly kbPerSubscriber: number;
  measure(): Promise<Sample>;
}

/** What the two of a pair cost in the same turn. */
type Turn = readonly [few: Sample, many: Sample];

interface Pair {
  readonly crowds: readonly [few: Crowd, many: Crowd];
  readonly turns: readonly Turn[];
  /** Taken besides: the cores moved, so their costs do not count; what was lost in them does. */
  readonly spoiled: readonly Turn[];
}

/**
 * Profile `growth`: the same packets per second in all, to few viewers or to many; and with two threads of the data plane. The machine's
 * speed moves by more than what is compared from one half minute to the next, so both of a pair are there all the time, and send by turns.
 */
export async function growth(options: MediaBenchOptions): Promise<Figures> {
  const grown = sizes.filter((size) => size <= largest(options));
  await requireDescriptors(Math.max(...grown) * 2 + fewest * 4, `${Math.max(...grown)} viewers`);
  const short = options.seconds < comparedFromS;
  const pairs: Pair[] = [];
  for (const size of grown) {
    const count = short ? 1 : turns * (size === sizes.at(-1) ? 2 : 1);
    pairs.push(await compare(options, { subscribers: fewest }, { subscribers: size }, count));
  }
  const reportOnce = { transportCc: false };
  const most = Math.max(...grown);
  const quiet = await compare(
    options,
    { subscribers: fewest, ...reportOnce },
    { subscribers: most, ...reportOnce },
    short ? 1 : turns,
  );
  const threads = { subscribers: comparedSize };
  const two = await compare(options, threads, { ...threads, threads: 2 }, short ? 1 : turns);
  const compared = [...pairs, quiet, two];
  const samples = compared.flatMap((pair) => pair.turns.flat());
  const reason = samples.find((sample) => sample.void !== undefined)?.void;
  const costs = [1, ...pairs.map((pair) => times(pair.turns, cost))];
  const last = pairs.at(-1)?.turns ?? [];
  return {
    profile: options.profile,
    camera: options.camera,
    srtp: options.srtp,
    totalPacketsPerSecond: options.totalPacketsPerSecond,
    growth: round(times(last, cost), 2),
    floorGrowth: round(times(last, floorCost), 2),
    growthToFloor: round(times(last, ratioToFloor), 2),
    highestToLowest: round(Math.max(...costs) / Math.min(...costs), 2),
    growthWithoutFeedback: round(times(quiet.turns, cost), 2),
    twoThreadsToOne: round(times(two.turns, cost), 2),
    lost: [...samples, ...compared.flatMap(({ spoiled }) => spoiled.flat())].reduce((sum, { lost }) => sum + lost, 0),
    steps: compared.map(ofPair),
    ...(reason === undefined ? {} : { void: reason }),
  };
}

interface CrowdShape {
  readonly subscribers: number;
  readonly threads?: number;
  /** False: each viewer reports once a second, and not ten times. */
  readonly transportCc?: boolean;
}

async function compare(options: MediaBenchOptions, few: CrowdShape, many: CrowdShape, count: number): Promise<Pair> {
  return await withCrowd(options, few, async (first) =>
    withCrowd(options, many, async (second) => {
      await sleep(options.seconds < comparedFromS ? 0 : settleMs);
      const taken: Turn[] = [];
      const spoiled: Turn[] = [];
      while (taken.length < count && taken.length + spoiled.length < count * attempts) {
        const turn: Turn = [await first.measure(), await second.measure()];
        const stayed = coresStayed(turn.flatMap(({ coreDistancesNs }) => coreDistancesNs));
        (stayed ? taken : spoiled).push(turn);
      }
      // A machine on which they never rest has all of its turns counted.
      return {
        crowds: [first, second],
        ...(taken.length > 0 ? { turns: taken, spoiled } : { turns: spoiled, spoiled: [] }),
      };
    }),
  );
}

async function withCrowd<T>(
  options: MediaBenchOptions,
  { subscribers, threads = 1, transportCc = true }: CrowdShape,
  use: (crowd: Crowd) => Promise<T>,
): Promise<T> {
  const seconds = Math.max(1, Math.round(options.seconds / 4));
  return await withStand({ ...options, threads, seconds }, async (stand) => {
    const { server, load, say } = stand;
    const pace = options.totalPacketsPerSecond / subscribers / cameraPacketsPerSecond;
    const shape = peerOptions(options, pace);
    const host = { ...shape, user: "host", sends: true, receivePairs: 0, kind: RoomKind.LIVE_CLASS };
    const camera = await Person.join(server, load, "crowd", host);
    try {
      const peers = new LoadPeers(server, load, { ...shape, transportCc }, "crowd");
      await peers.warmUp(Math.min(options.warmupJoins, 100));
      const pssBeforeKb = await server.usage.pssKb();
      await peers.join(subscribers);
      await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= subscribers);
      const kbPerSubscriber = ((await server.usage.pssKb()) - pssBeforeKb) / subscribers;
      load.setSending(false);
      say(`${subscribers} viewers, ${threads} threads`);
      return await use({
        subscribers,
        threads,
        transportCc,
        kbPerSubscriber,
        measure: () => measure(stand, subscribers, pace),
      });
    } finally {
      camera.close();
    }
  });
}

async function measure(stand: Stand, subscribers: number, pace: number): Promise<Sample> {
  const window = await measureWindow(stand.server, stand.load, { seconds: stand.options.seconds, pace });
  const overheadBytes = overheadBytesOf(window);
  const floor = await measureFloor(stand, { mode: "segments", overheadBytes, subscribers, pace });
  const { snapshot, sending } = window;
  return {
    cpuUsPerPacket: sending.cpuUs / snapshot.distinct,
    floorUsPerPacket: floor.cpuUs / floor.datagrams,
    segmentsPerSend: window.segmentsPerSend,
    lost: Math.max(0, snapshot.published * subscribers - snapshot.distinct),
    p99Us: snapshot.p99Us,
    coreDistancesNs: [...window.coreDistancesNs, await coreDistanceNs(stand.load)],
    void: window.void ?? floorVoid(floor),
  };
}

const cost = ({ cpuUsPerPacket }: Sample): number => cpuUsPerPacket;
const floorCost = ({ floorUsPerPacket }: Sample): number => floorUsPerPacket;
const segments = ({ segmentsPerSend }: Sample): number => segmentsPerSend;
const p99Us = (sample: Sample): number => sample.p99Us;
const ratioToFloor = (sample: Sample): number => cost(sample) / floorCost(sample);

/** By how much a figure of the second is that of the first, in the same turn: the median. */
function times(taken: readonly Turn[], figure: (sample: Sample) => number): number {
  return median(taken.map(([few, many]) => figure(many) / figure(few)));
}

/** Medians of the turns, and between which two all of them lie. */
function ofPair({ crowds: [few, many], turns: taken, spoiled }: Pair): Figures {
  const middle = (at: 0 | 1, figure: (sample: Sample) => number, digits: number) =>
    round(median(taken.map((turn) => figure(turn[at]))), digits);
  const all = taken.map((turn) => cost(turn[1]) / cost(turn[0]));
  return {
    subscribers: `${few.subscribers}, ${many.subscribers}`,
    threads: `${few.threads}, ${many.threads}`,
    transportCc: many.transportCc,
    times: round(median(all), 2),
    least: round(Math.min(...all), 2),
    most: round(Math.max(...all), 2),
    turns: taken.length,
    spoiled: spoiled.length,
    coreDistanceNs: median(taken.flatMap((turn) => turn.flatMap((sample) => sample.coreDistancesNs))),
    cpuUsPerPacket: `${middle(0, cost, 2)}, ${middle(1, cost, 2)}`,
    floorUsPerPacket: `${middle(0, floorCost, 2)}, ${middle(1, floorCost, 2)}`,
    segmentsPerSend: `${middle(0, segments, 2)}, ${middle(1, segments, 2)}`,
    p99Us: `${middle(0, p99Us, 0)}, ${middle(1, p99Us, 0)}`,
    kbPerSubscriber: `${round(few.kbPerSubscriber, 1)}, ${round(many.kbPerSubscriber, 1)}`,
  };
}

/** `--subscribers` cuts the list short; its default of 100 does not. */
function largest({ subscribers }: MediaBenchOptions): number {
  return subscribers === 100 ? Number.POSITIVE_INFINITY : Math.max(subscribers, comparedSize);
}
