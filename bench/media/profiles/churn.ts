import { LoadPeers, measureWindow, requireDescriptors, sleep, type ServerProcess } from "@parley/app";
import type { MediaBenchOptions } from "../arguments.ts";
import { churn, slopePerMinute, type ChurnResult } from "../churn.ts";
import { peerOptions, round, trust, withStand, type Figures, type Stand } from "../stand.ts";

const stayMs = 5_000;
/** An hour has as many samples as ten minutes. */
const mostSamples = 600;
/** Watch all the time, and are measured. */
const standingViewers = 20;

interface Sample {
  readonly atMs: number;
  readonly pssKb: number;
  readonly descriptors: number;
}

/** Profile `churn`: viewers come and go for a long time; what becomes of memory and descriptors. */
export async function churning(options: MediaBenchOptions): Promise<Figures> {
  await requireDescriptors(standingViewers + options.joins * 10, `${options.joins} joins per second`);
  return await withStand(options, run);
}

async function run(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const peers = new LoadPeers(server, load, peerOptions(options, options.pace ?? 1));
  await peers.publish();
  say(`warm-up: ${options.warmupJoins} joins and leaves`);
  await peers.warmUp(options.warmupJoins);
  await peers.join(standingViewers);
  await peers.untilStates("the standing viewers see the camera", ({ withMedia }) => withMedia >= standingViewers);
  say(`${options.joins} joins and leaves per second for ${options.seconds} s`);
  const samples: Sample[] = [];
  let result: ChurnResult | undefined;
  const window = await measureWindow(server, load, {
    seconds: options.seconds,
    meanwhile: async () => {
      const ending = sampleUntil(server, options.seconds, samples);
      result = await churn(peers, { joinsPerSecond: options.joins, seconds: options.seconds, stayMs, load });
      await ending;
    },
  });
  const { snapshot } = window;
  // Until as many have come as stay at once.
  const steady = samples.filter(({ atMs }) => atMs > Math.min(stayMs * 2, options.seconds * 250));
  const lowest = (part: readonly Sample[]) => Math.min(...part.map(({ pssKb }) => pssKb));
  const quarter = Math.ceil(steady.length / 4);
  const slope = (key: "pssKb" | "descriptors") =>
    slopePerMinute(steady.map((sample) => ({ atMs: sample.atMs, value: sample[key] })));
  const descriptors = steady.map((sample) => sample.descriptors);
  return {
    profile: options.profile,
    seconds: options.seconds,
    srtp: options.srtp,
    joinsPerSecond: round(result?.joinsPerSecond ?? 0, 1),
    joins: result?.joins,
    failed: result?.failed,
    firstError: result?.firstError,
    pssSlopeKbPerMinute: round(slope("pssKb"), 1),
    pssSlopeBytesPerJoin: round((slope("pssKb") * 1024) / 60 / options.joins, 1),
    pssLowestFirstQuarterKb: lowest(steady.slice(0, quarter)),
    pssLowestLastQuarterKb: lowest(steady.slice(-quarter)),
    pssLowestByTenthKb: Array.from({ length: 10 }, (_, tenth) =>
      lowest(steady.slice(Math.floor((steady.length * tenth) / 10), Math.floor((steady.length * (tenth + 1)) / 10))),
    ),
    pssHighestKb: Math.max(...steady.map(({ pssKb }) => pssKb)),
    descriptorsSlopePerMinute: round(slope("descriptors"), 2),
    descriptorsLowest: Math.min(...descriptors),
    descriptorsHighest: Math.max(...descriptors),
    samples: steady.length,
    lost: Math.max(0, snapshot.published * standingViewers - snapshot.distinct),
    p99Us: snapshot.p99Us,
    ...trust(window),
  };
}

async function sampleUntil(server: ServerProcess, seconds: number, samples: Sample[]): Promise<void> {
  const beganMs = performance.now();
  const periodMs = Math.max(250, (seconds * 1000) / mostSamples);
  for (;;) {
    const atMs = performance.now() - beganMs;
    if (atMs >= seconds * 1000) return;
    const [pssKb, descriptors] = [await server.usage.pssKb(), await server.usage.descriptors()];
    samples.push({ atMs, pssKb, descriptors });
    await sleep(periodMs);
  }
}
