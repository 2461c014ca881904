import type { Clock, Counter, Gauge, Histogram, LabelValues, Metrics, MetricOptions } from "@parley/foundation";
import * as prom from "prom-client";
import { watchEventLoop } from "./event-loop.ts";

export interface PromMetricsOptions {
  /** Also the process's own: CPU, memory, event loop; the clock's beat tells how late the latter is. */
  readonly processMetrics: Clock | undefined;
}

/** What measures the event loop by a timer of its own wakes the process a hundred times a second: `watchEventLoop` does it instead. */
const neverMs = 2 ** 30;

/** Metrics of this process. Every instance has a registry of its own. */
export function createPromMetrics(options: PromMetricsOptions): Metrics {
  const registry = new prom.Registry();
  const refreshers: (() => void)[] = [];
  /** What each name was registered as: the same again is fine, something else is a bug. */
  const shapes = new Map<string, string>();
  if (options.processMetrics !== undefined) {
    prom.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
    refreshers.push(watchEventLoop(registry, options.processMetrics));
  }

  function register<M extends prom.Metric>(kind: string, metric: MetricOptions, make: () => M): M {
    const shape = JSON.stringify([kind, metric]);
    const known = shapes.get(metric.name);
    if (known === undefined) {
      shapes.set(metric.name, shape);
      return make();
    }
    if (known !== shape) throw new Error(`metric ${metric.name} is registered twice with different options`);
    return registry.getSingleMetric(metric.name) as M;
  }
  const base = (
    metric: MetricOptions,
  ): { name: string; help: string; labelNames: string[]; registers: prom.Registry[] } => ({
    name: metric.name,
    help: metric.help,
    labelNames: [...(metric.labels ?? [])],
    registers: [registry],
  });

  return {
    counter(metric): Counter {
      const inner = register("counter", metric, () => new prom.Counter(base(metric)));
      return { add: (amount, labels) => inner.labels(...values(metric, labels)).inc(amount) };
    },
    gauge(metric): Gauge {
      const inner = register("gauge", metric, () => new prom.Gauge(base(metric)));
      return { set: (value, labels) => inner.labels(...values(metric, labels)).set(value) };
    },
    histogram(metric): Histogram {
      const make = (): prom.Histogram => new prom.Histogram({ ...base(metric), buckets: [...metric.buckets] });
      const inner = register("histogram", metric, make);
      return { observe: (value, labels) => inner.labels(...values(metric, labels)).observe(value) };
    },
    onCollect: (refresh) => void refreshers.push(refresh),
    async collect() {
      for (const refresh of refreshers) refresh();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

function values(metric: MetricOptions, labels: LabelValues | undefined): string[] {
  const wanted = metric.labels?.length ?? 0;
  const given = labels?.length ?? 0;
  if (given !== wanted) throw new Error(`metric ${metric.name} has ${wanted} labels, got ${given}`);
  return [...(labels ?? [])];
}
