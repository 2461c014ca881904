import type { LoadSnapshot, MediaLoad } from "@parley/adapter-media-native";
import { sleep } from "./load-peers.ts";
import { beginUsage, machineIdleUs, ProcessUsage, type UsageSpan } from "./process-usage.ts";
import type { ServerProcess } from "./server-process.ts";

/** Loss of the viewers' access, as the benchmark's definition has it. */
const dropRatio = 0.005;
/** Of a camera at pace 1. */
const frameMs = 1_000 / 30;
/** A whole frame, wherever between two frames the viewers stop to throw packets away. */
const framesBehind = 2.5;
/** Longer than any repair on this machine: ten tries of NACK. */
const repairMs = 700;

/** What a measured time brought. */
export interface MediaWindow {
  readonly snapshot: LoadSnapshot;
  /** Of the server, with the rest before and after. */
  readonly usage: UsageSpan;
  /** Of the server while the cameras sent. */
  readonly sending: UsageSpan;
  readonly segmentsPerSend: number;
  readonly sendErrors: number;
  /** Of transport-wide feedback, that the server's control part has read; 0 without a consumer. */
  readonly feedbackReports: number;
  readonly feedbackGroups: number;
  /** Datagrams the server received and sent, of any kind. */
  readonly receivedDatagrams: number;
  readonly sentDatagrams: number;
  /** Of one core each: the load's thread of viewers, and of cameras. */
  readonly loadShare: number;
  readonly cameraShare: number;
  /** What all cores together had left, as a share of one. */
  readonly idleShare: number;
  /** Before and after it: {@link coreDistanceNs}. */
  readonly coreDistancesNs: readonly number[];
  /** Why the figures mean nothing; undefined: they do. */
  readonly void: string | undefined;
}

export interface WindowOptions {
  readonly seconds: number;
  /** Of the cameras: frames and sounds come so many times as often as from a real one. Default: 1. */
  readonly pace?: number;
  /** False: the viewers throw nothing away. */
  readonly drop?: boolean;
  /** What happens meanwhile. */
  readonly meanwhile?: () => Promise<void>;
}

/** The cameras rest before and after, so that each packet of the window is either there at its end or lost. */
export async function measureWindow(
  server: ServerProcess,
  load: MediaLoad,
  { seconds, pace = 1, drop = true, meanwhile = () => sleep(seconds * 1000) }: WindowOptions,
): Promise<MediaWindow> {
  load.setSending(false);
  await sleep(repairMs);
  const distanceBeforeNs = await coreDistanceNs(load);
  load.setDropRatio(drop ? dropRatio : 0);
  load.beginWindow();
  const before = await server.metrics();
  const idleBeforeUs = await machineIdleUs();
  const endServer = await beginUsage(server.usage);
  const endSending = await beginUsage(server.usage);
  const endOwn = await beginUsage(new ProcessUsage(process.pid));
  load.setSending(true);
  await meanwhile();
  // A packet dropped with nothing behind it could not be missed by anybody: a slow camera's next frame must still come.
  load.setDropRatio(0);
  await sleep(Math.max(100, (framesBehind * frameMs) / pace));
  load.setSending(false);
  const sending = await endSending();
  const own = await endOwn();
  const idleShare = ((await machineIdleUs()) - idleBeforeUs) / sending.elapsedUs;
  await sleep(repairMs);
  const usage = await endServer();
  const after = await server.metrics();
  const grown = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
  const coreDistancesNs = [distanceBeforeNs, await coreDistanceNs(load)];
  const snapshot = load.snapshot();
  const loadShare = own.share("load-viewers");
  const cameraShare = own.share("load-publisher");
  return {
    snapshot,
    usage,
    sending,
    segmentsPerSend: grown("parley_media_tx_datagrams_total") / grown("parley_media_send_messages_total"),
    sendErrors: grown("parley_media_send_errors_total"),
    feedbackReports: grown("parley_bench_feedback_reports_total") || 0,
    feedbackGroups: grown("parley_bench_feedback_groups_total") || 0,
    receivedDatagrams: grown("parley_media_rx_datagrams_total"),
    sentDatagrams: grown("parley_media_tx_datagrams_total"),
    loadShare,
    cameraShare,
    idleShare,
    coreDistancesNs,
    void: voidReason(snapshot, loadShare, idleShare),
  };
}

const distanceTries = 5;

/**
 * How far apart the cores are while nothing is sent, in ns; NaN: one core, or always something in the way. A virtual machine's cores may share a cache in
 * one minute and none in the next: 40 and 200 ns.
 */
export async function coreDistanceNs(load: MediaLoad): Promise<number> {
  for (let tries = 0; tries < distanceTries; tries += 1) {
    const ns = load.coreDistanceNs();
    if (ns > 0) return Math.round(ns);
    await sleep(10);
  }
  return Number.NaN;
}

/** Far and near differ by a factor of five, the same place by a fifth. */
const sameDistance = 1.7;

/** Whether the cores stayed where they were between all of these looks; what is unknown counts as stayed. */
export function coresStayed(distancesNs: readonly number[]): boolean {
  const known = distancesNs.filter((ns) => !Number.isNaN(ns));
  return known.length === 0 || Math.max(...known) <= sameDistance * Math.min(...known);
}

/** Above this the thread that reads for all viewers cannot keep up. */
const fullThread = 0.95;
/** A camera that is later than this is another camera. */
const lateLimitUs = 25_000;

/** Why a window says nothing about the server: the load was the bottleneck. */
export function voidReason(snapshot: LoadSnapshot, loadShare: number, idleShare: number): string | undefined {
  if (snapshot.overflows > 0) {
    return `the load did not read in time: ${snapshot.overflows} datagrams were lost in its own sockets`;
  }
  if (loadShare > fullThread)
    return `the load's thread of viewers was busy ${Math.round(loadShare * 100)} % of the time`;
  if (snapshot.lateP99Us > lateLimitUs) {
    return `the load's cameras were up to ${Math.round(snapshot.lateMaxUs / 1000)} ms late, with ${idleShare.toFixed(2)} cores idle`;
  }
  if (snapshot.authenticationFailures > 0)
    return `${snapshot.authenticationFailures} packets could not be authenticated`;
  return undefined;
}
