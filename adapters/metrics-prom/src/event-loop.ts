import { createHistogram } from "node:perf_hooks";
import type { Clock } from "@parley/foundation";
import * as prom from "prom-client";

/** As often as other work that the process wakes for. */
const periodMs = 100;

/**
 * How late the event loop is, between one collection and the next, under the names that prom-client gives it
 * (`nodejs_eventloop_lag_*_seconds`, in seconds), measured by the lateness of the clock's beat.
 * Returns what is to be called before each collection.
 */
export function watchEventLoop(registry: prom.Registry, clock: Clock): () => void {
  const delaysNs = createHistogram();
  let lastMs: number | undefined;
  clock.every(periodMs, () => {
    const nowMs = clock.monoMs();
    if (lastMs !== undefined) delaysNs.record(Math.max(1, Math.round((nowMs - lastMs - periodMs) * 1e6)));
    lastMs = nowMs;
  });
  const values: Readonly<Record<string, () => number>> = {
    min: () => delaysNs.min,
    max: () => delaysNs.max,
    mean: () => delaysNs.mean,
    stddev: () => delaysNs.stddev,
    p50: () => delaysNs.percentile(50),
    p90: () => delaysNs.percentile(90),
    p99: () => delaysNs.percentile(99),
  };
  const gauges = Object.entries(values).map(([value, read]) => {
    const name = `nodejs_eventloop_lag_${value}_seconds`;
    registry.removeSingleMetric(name);
    const help = `How late the event loop was since the last collection: ${value}.`;
    return { gauge: new prom.Gauge({ name, help, registers: [registry] }), read };
  });
  return () => {
    if (delaysNs.count > 0) for (const { gauge, read } of gauges) gauge.set(read() / 1e9);
    delaysNs.reset();
  };
}
