import { sleep, type LoadPeers, type LoadViewer } from "@parley/app";
import type { MediaLoad } from "@parley/adapter-media-native";

export interface ChurnResult {
  readonly joins: number;
  /** Joins or leaves that were refused, and viewers that were not connected when they left. */
  readonly failed: number;
  readonly firstError: string | undefined;
  readonly joinsPerSecond: number;
}

export interface ChurnOptions {
  readonly joinsPerSecond: number;
  readonly seconds: number;
  /** How long each viewer stays. */
  readonly stayMs: number;
  readonly load: MediaLoad;
}

/**
 * Viewers come at a fixed pace whatever becomes of the ones before them, and each leaves after its time; none of them is measured. Returns when
 * the last one has left.
 */
export async function churn(peers: LoadPeers, options: ChurnOptions): Promise<ChurnResult> {
  const { joinsPerSecond, seconds, stayMs, load } = options;
  const beganMs = performance.now();
  const under: Promise<void>[] = [];
  let [joins, failed, begun] = [0, 0, 0];
  let firstError: string | undefined;
  const fail = (error: unknown): void => {
    failed += 1;
    firstError ??= error instanceof Error ? error.message : String(error);
  };
  const visit = async (): Promise<void> => {
    let viewer: LoadViewer;
    try {
      viewer = await peers.joinOne(false);
    } catch (error) {
      return fail(error);
    }
    await sleep(stayMs);
    if (load.state(viewer.id) === "connected") joins += 1;
    else fail(new Error(`a viewer was ${load.state(viewer.id)} after ${stayMs} ms`));
    await peers.leave(viewer).catch(fail);
  };
  while (performance.now() - beganMs < seconds * 1000) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * joinsPerSecond);
    for (; begun < due; begun += 1) under.push(visit());
    await sleep(5);
    // An hour of them need not be kept.
    if (under.length > 10_000) await Promise.all(under.splice(0, 5_000));
  }
  await Promise.all(under);
  return { joins, failed, firstError, joinsPerSecond: begun / seconds };
}

/** Least squares: how much `values` grow per minute. */
export function slopePerMinute(samples: readonly { readonly atMs: number; readonly value: number }[]): number {
  const n = samples.length;
  const meanX = samples.reduce((sum, { atMs }) => sum + atMs, 0) / n;
  const meanY = samples.reduce((sum, { value }) => sum + value, 0) / n;
  const top = samples.reduce((sum, { atMs, value }) => sum + (atMs - meanX) * (value - meanY), 0);
  const bottom = samples.reduce((sum, { atMs }) => sum + (atMs - meanX) ** 2, 0);
  return bottom === 0 ? 0 : (top / bottom) * 60_000;
}
