/** Values of a metric's labels, in the order of its `labels`. Few and bounded: never ids of rooms, users or sessions. */
export type LabelValues = readonly string[];

export interface MetricOptions {
  /** As in Prometheus: `parley_` first, the unit last, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Only grows. */
export interface Counter {
  add(amount: number, labels?: LabelValues): void;
}

export interface Gauge {
  set(value: number, labels?: LabelValues): void;
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, rising; the one without a bound is implied. */
  readonly buckets: readonly number[];
}

export interface Histogram {
  observe(value: number, labels?: LabelValues): void;
}

/**
 * Where a part of the program registers what it measures. A name registered twice with the same options is the same metric;
 * with others it is a bug and throws.
 */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: HistogramOptions): Histogram;
  /** Calls `refresh` before every read, for values that live elsewhere (counters in shared memory). */
  onCollect(refresh: () => void): void;
  /** Text in the exposition format, with its content type. */
  collect(): Promise<{ readonly contentType: string; readonly text: string }>;
}
