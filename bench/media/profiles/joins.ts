import {
  inParallel,
  LoadPeers,
  measureWindow,
  requireDescriptors,
  until,
  type LoadViewer,
  type MediaWindow,
} from "@parley/app";
import type { MediaBenchOptions } from "../arguments.ts";
import { churn, type ChurnResult } from "../churn.ts";
import { peerOptions, round, trust, withStand, type Figures, type Stand } from "../stand.ts";

const stayMs = 1_000;
/** Where the whole server runs. */
const core = 0;

/**
 * Profile `joins`: how many joins per second a server on one core stands, and what the viewers who are there notice. Who comes is sent the camera,
 * too, so the window without joins has as many viewers as there are at any time of the one with them: others would show what more viewers cost.
 */
export async function joins(options: MediaBenchOptions): Promise<Figures> {
  await requireDescriptors(options.subscribers + options.joins * 4, `${options.joins} joins per second`);
  return await withStand(options, run, { core });
}

async function run(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const peers = new LoadPeers(server, load, peerOptions(options, options.pace ?? 1));
  await peers.publish();
  say(`warm-up: ${options.warmupJoins} joins and leaves`);
  await peers.warmUp(options.warmupJoins);
  await peers.join(options.subscribers);
  await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= options.subscribers);
  const quiet = await beside(stand, peers, () => measureWindow(server, load, { seconds: options.seconds }));
  say(`${options.joins} joins and leaves per second for ${options.seconds} s, on core ${core}`);
  let result: ChurnResult | undefined;
  const busy = await measureWindow(server, load, {
    seconds: options.seconds,
    meanwhile: async () => {
      result = await churn(peers, { joinsPerSecond: options.joins, seconds: options.seconds, stayMs, load });
    },
  });
  const lost = ({ snapshot }: MediaWindow) => Math.max(0, snapshot.published * options.subscribers - snapshot.distinct);
  const perJoin = (busy.sending.cpuUs / busy.sending.elapsedUs - quiet.sending.cpuUs / quiet.sending.elapsedUs) / 1000;
  return {
    profile: options.profile,
    subscribers: options.subscribers,
    srtp: options.srtp,
    cores: 1,
    joinsPerSecond: round(result?.joinsPerSecond ?? 0, 1),
    joins: result?.joins,
    failed: result?.failed,
    firstError: result?.firstError,
    // Also its leaving.
    cpuMsPerVisit: round((perJoin * busy.sending.elapsedUs) / (result?.joins ?? 1), 2),
    coreShare: round(busy.sending.cpuUs / busy.sending.elapsedUs, 2),
    lostWithout: lost(quiet),
    lost: lost(busy),
    p50UsWithout: quiet.snapshot.p50Us,
    p50Us: busy.snapshot.p50Us,
    p99UsWithout: quiet.snapshot.p99Us,
    p99Us: busy.snapshot.p99Us,
    maxUsWithout: quiet.snapshot.maxUs,
    maxUs: busy.snapshot.maxUs,
    ...trust(busy),
  };
}

/** Measures while as many others are there as stay for {@link stayMs}, without coming and going. */
async function beside(
  { options, load }: Stand,
  peers: LoadPeers,
  measure: () => Promise<MediaWindow>,
): Promise<MediaWindow> {
  const others: LoadViewer[] = [];
  await inParallel(Math.round((options.joins * stayMs) / 1000), async () => {
    const viewer = await peers.joinOne(false);
    others.push(viewer);
    await until("a viewer is connected", () => load.state(viewer.id) === "connected");
  });
  const measured = await measure();
  await inParallel(others.length, async (index) => {
    const viewer = others[index];
    if (viewer !== undefined) await peers.leave(viewer);
  });
  return measured;
}
