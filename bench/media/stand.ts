import { openMediaLoad, type FloorResult, type MediaLoad } from "@parley/adapter-media-native";
import {
  coreDistanceNs,
  coresStayed,
  measureWindow,
  ServerProcess,
  sleep,
  type MediaWindow,
  type ServerOptions,
  type WindowOptions,
} from "@parley/app";
import type { LoadPeerOptions } from "@parley/app";
import type { MediaBenchOptions } from "./arguments.ts";

/** What every profile works with: a server in a process of its own, and the load in this one. */
export interface Stand {
  readonly options: MediaBenchOptions;
  readonly server: ServerProcess;
  readonly load: MediaLoad;
  /** For people; silent with `--json`. */
  say(text: string): void;
}

/** One line of figures, as it is printed. `void`: why they mean nothing. */
export interface Figures {
  readonly void?: string;
  readonly [name: string]: unknown;
}

/** The product with a consumer of transport-wide feedback, which it has not itself. */
const withConsumer: ServerOptions = {
  program: new URL("feedback-server.ts", import.meta.url),
};

/** Runs `measure` with a fresh server and a fresh load client, and ends both. */
export async function withStand<T>(
  options: MediaBenchOptions,
  measure: (stand: Stand) => Promise<T>,
  server: ServerOptions = {},
): Promise<T> {
  const load = openMediaLoad();
  const scheduling = options.realtime === "on" ? "auto" : "normal";
  const consumer = options.feedback === "on" ? withConsumer : {};
  const running = await ServerProcess.start({ threads: options.threads, scheduling, ...consumer, ...server });
  const say = (text: string) => {
    if (!options.json) console.log(text);
  };
  try {
    return await measure({ options, server: running, load, say });
  } finally {
    load.close();
    await running.stop();
  }
}

/** What one camera sends per second at pace 1: 120 frames of 5 or 6 packets and 200 sounds in 4 s. */
export const cameraPacketsPerSecond = 210.5;

/** Peers as the command line wants them. */
export function peerOptions({ srtp, gro, camera }: MediaBenchOptions, pace: number): LoadPeerOptions {
  return { srtp, gro, camera, pace };
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Of an even number the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [below = Number.NaN, above = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 0 ? (below + above) / 2 : above;
}

/** What of a window tells whether it can be trusted, the same in all profiles. */
export function trust(window: MediaWindow): Figures {
  const { sending, snapshot, loadShare, cameraShare, idleShare, void: reason } = window;
  return {
    feedbackReports: window.feedbackReports,
    feedbackGroups: window.feedbackGroups,
    mainShare: round(sending.mainShare, 3),
    workerShare: round(sending.share("parley-"), 3),
    loadShare: round(loadShare, 3),
    cameraShare: round(cameraShare, 3),
    idleCores: round(idleShare, 2),
    cameraLateP99Us: snapshot.lateP99Us,
    coreDistancesNs: window.coreDistancesNs,
    ...(reason === undefined ? {} : { void: reason }),
  };
}

const ratioAttempts = 3;

/**
 * A window and its floor right behind it, both once more while the cores move meanwhile: the two would be of two machines. A window that lost
 * something is never replaced by another one.
 */
export async function measureWithFloor(
  { server, load, say }: Stand,
  options: WindowOptions,
  measure: (window: MediaWindow) => Promise<FloorResult>,
): Promise<{ readonly window: MediaWindow; readonly floor: FloorResult }> {
  for (let attempt = 1; ; attempt += 1) {
    const taken = await measureWindow(server, load, options);
    say("measuring the floor");
    const floor = await measure(taken);
    const coreDistancesNs = [...taken.coreDistancesNs, await coreDistanceNs(load)];
    const window = { ...taken, coreDistancesNs };
    const lossless = taken.snapshot.missing === 0;
    if (coresStayed(coreDistancesNs) || !lossless || attempt === ratioAttempts) return { window, floor };
    say("the cores moved meanwhile, measuring again");
  }
}

/** From headers, extensions and the tag, per packet that came first hand. */
export function overheadBytesOf({ snapshot }: MediaWindow): number {
  const firstHand = snapshot.distinct - snapshot.repaired;
  return Math.round((snapshot.wireBytes - snapshot.payloadBytes) / Math.max(1, firstHand));
}

/** The floor's runs are this long at most: it is a constant load. */
const longestFloorS = 5;

/** As many sockets as there are viewers get one camera's datagrams. */
export async function measureFloor(
  { load, options }: Stand,
  {
    mode,
    overheadBytes,
    subscribers,
    pace,
  }: {
    readonly mode: "segments" | "sendto";
    readonly overheadBytes: number;
    readonly subscribers: number;
    readonly pace: number;
  },
): Promise<FloorResult> {
  if (!load.openFloor("127.0.0.1", subscribers, options.gro)) throw new Error("No sockets for the floor");
  const durationMs = Math.min(options.seconds, longestFloorS) * 1000;
  const started = load.startFloor({ mode, profile: options.camera, pace, overheadBytes, durationMs });
  if (!started) throw new Error("The floor did not start");
  while (load.floorRunning()) await sleep(50);
  await sleep(20);
  return load.finishFloor();
}

/** Cameras of people in meetings, each received and sent to the others of its meeting; with one person each, received only. */
export async function measureRelay(
  { load, options }: Stand,
  {
    people,
    meetings,
    overheadBytes,
    pace,
    wait,
  }: {
    readonly people: number;
    readonly meetings: number;
    readonly overheadBytes: number;
    readonly pace: number;
    readonly wait: "schedule" | "arrival";
  },
): Promise<FloorResult> {
  if (!load.openRelay("127.0.0.1", people, meetings, options.gro)) throw new Error("No sockets for the floor");
  const durationMs = Math.min(options.seconds, longestFloorS) * 1000;
  const started = load.startRelay({ profile: options.camera, pace, overheadBytes, durationMs, wait });
  if (!started) throw new Error("The floor did not start");
  while (load.relayRunning()) await sleep(50);
  await sleep(20);
  return load.finishRelay();
}

/** The floor is void when its own sockets overflowed. */
export function floorVoid(floor: FloorResult): string | undefined {
  return floor.overflows > 0 ? `the floor's sockets lost ${floor.overflows} datagrams` : undefined;
}
