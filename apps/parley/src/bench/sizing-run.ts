import { availableParallelism } from "node:os";
import { openMediaLoad, type MediaLoad } from "@parley/adapter-media-native";
import { LoadPeers, sleep } from "./load-peers.ts";
import { measureWindow } from "./media-window.ts";
import { descriptorLimit } from "./process-usage.ts";
import { ServerProcess } from "./server-process.ts";
import { mayBeChance, tooMuch, verdictOf, type SizingStep, type Verdict } from "./sizing.ts";

export interface SizingOptions {
  /** Of each step. */
  readonly seconds: number;
  /** Of each subscriber. */
  readonly bitrateKbps: number;
  readonly maxSubscribers: number;
}

export interface Sizing {
  readonly cores: number;
  /** What the threads that move packets got. */
  readonly scheduling: "fifo" | "nice" | "normal";
  readonly bitrateKbps: number;
  readonly steps: readonly SizingStep[];
  readonly verdict: Verdict;
}

/** What the synthetic camera sends at pace 1. */
const cameraKbps = 1_500;
const firstStep = 25;
const viewersPerRoom = 250;
const settleMs = 1_000;
/** Node's own, the cameras', and some at once for HTTP. */
const spareDescriptors = 300;

/**
 * Sizes this machine: a server in a process of its own, a camera per room here, and twice as many viewers in each step until something is too
 * much. Everything stays on the loopback interface. Rejects when the addon, sockets or a server cannot be had.
 */
export async function sizeMachine(options: SizingOptions, onStep: (step: SizingStep) => void): Promise<Sizing> {
  const descriptors = Math.floor((await descriptorLimit()) - spareDescriptors);
  if (descriptors < 1)
    throw new Error(`this process may open too few files (ulimit -n): it needs ${spareDescriptors} and one per viewer`);
  const most = Math.min(options.maxSubscribers, descriptors);
  const ceiling =
    most < options.maxSubscribers ? "the number of open files (ulimit -n)" : "what was asked for (--subscribers)";
  const load = openMediaLoad();
  // A machine near its end must not make other cameras of them, where that is allowed.
  load.raisePublishers();
  let server: ServerProcess | undefined;
  try {
    server = await ServerProcess.start();
    const running = server;
    const thread = (await running.usage.threads()).find(({ name }) => name.startsWith("parley-"));
    const rooms: LoadPeers[] = [];
    const steps: SizingStep[] = [];
    for (let wanted = Math.min(firstStep, most); ; wanted = Math.min(wanted * 2, most)) {
      await grow(running, load, rooms, wanted, options);
      const first = await measureStep(running, load, wanted, options);
      const step = mayBeChance(first) ? await measureStep(running, load, wanted, options) : first;
      steps.push(step);
      onStep(step);
      if (wanted >= most || tooMuch(step) !== undefined) break;
    }
    const nice = thread !== undefined && thread.nice < 0 ? "nice" : "normal";
    return {
      cores: availableParallelism(),
      scheduling: thread?.policy === "fifo" ? "fifo" : nice,
      bitrateKbps: options.bitrateKbps,
      steps,
      verdict: verdictOf(steps, ceiling),
    };
  } finally {
    load.close();
    await server?.stop();
  }
}

async function grow(
  server: ServerProcess,
  load: MediaLoad,
  rooms: LoadPeers[],
  wanted: number,
  { bitrateKbps }: SizingOptions,
): Promise<void> {
  const pace = bitrateKbps / cameraKbps;
  for (let have = rooms.reduce((sum, { viewers }) => sum + viewers, 0); have < wanted;) {
    let room = rooms.at(-1);
    if (room === undefined || room.viewers === viewersPerRoom) {
      const shape = { srtp: "gcm", gro: false, camera: "burst", pace } as const;
      room = new LoadPeers(server, load, shape, `sizing-${rooms.length}`);
      await room.publish();
      rooms.push(room);
    }
    const more = Math.min(wanted - have, viewersPerRoom - room.viewers);
    await room.join(more);
    have += more;
  }
  load.setSending(true);
  await rooms[0]?.untilStates("all viewers see their camera", ({ withMedia }) => withMedia >= wanted);
  await sleep(settleMs);
}

async function measureStep(
  server: ServerProcess,
  load: MediaLoad,
  subscribers: number,
  { seconds, bitrateKbps }: SizingOptions,
): Promise<SizingStep> {
  const window = await measureWindow(server, load, { seconds, pace: bitrateKbps / cameraKbps });
  const { snapshot, sending, usage } = window;
  return {
    subscribers,
    // Of what came first hand, with the headers of SRTP, UDP and IPv4.
    megabitPerSecond: rounded(
      ((snapshot.wireBytes + (snapshot.distinct - snapshot.repaired) * 28) * 8) / sending.elapsedUs,
      1,
    ),
    cpuUsPerPacket: rounded(usage.cpuUs / Math.max(1, snapshot.distinct), 3),
    dataPlaneShare: rounded(sending.share("parley-"), 3),
    javascriptShare: rounded(sending.mainShare, 3),
    lost: snapshot.missing,
    packets: snapshot.distinct + snapshot.missing,
    p99Us: snapshot.p99Us,
    ...(window.void === undefined ? {} : { void: window.void }),
  };
}

/** More digits than these were not measured. */
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
