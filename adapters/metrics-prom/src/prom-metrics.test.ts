import assert from "node:assert/strict";
import { test } from "node:test";
import { createPromMetrics } from "./prom-metrics.ts";

test("[QOS-2] counters, gauges and histograms come out in the exposition format", async () => {
  const metrics = createPromMetrics({ processMetrics: false });
  const joins = metrics.counter({ name: "parley_joins_total", help: "Joins.", labels: ["kind"] });
  joins.add(2, ["whip"]);
  joins.add(1, ["whep"]);
  const sessions = metrics.gauge({ name: "parley_sessions", help: "Sessions." });
  metrics.onCollect(() => sessions.set(7));
  metrics.histogram({ name: "parley_join_seconds", help: "Joins.", buckets: [0.1, 1] }).observe(0.5);
  const { contentType, text } = await metrics.collect();
  assert.match(contentType, /^text\/plain/);
  assert.match(text, /^parley_joins_total\{kind="whip"\} 2$/m);
  assert.match(text, /^parley_joins_total\{kind="whep"\} 1$/m);
  assert.match(text, /^parley_sessions 7$/m);
  assert.match(text, /^parley_join_seconds_bucket\{le="0.1"\} 0$/m);
  assert.match(text, /^parley_join_seconds_bucket\{le="1"\} 1$/m);
});

test("a name registered twice is the same metric, or a bug", async () => {
  const metrics = createPromMetrics({ processMetrics: false });
  const options = { name: "parley_x_total", help: "X." };
  metrics.counter(options).add(1);
  metrics.counter(options).add(1);
  assert.match((await metrics.collect()).text, /^parley_x_total 2$/m);
  assert.throws(() => metrics.gauge(options), /registered twice/);
  assert.throws(() => metrics.counter({ ...options, help: "Y." }), /registered twice/);
  assert.throws(() => metrics.counter(options).add(1, ["a"]), /0 labels, got 1/);
});

test("two programs in one process do not mix their metrics", async () => {
  const first = createPromMetrics({ processMetrics: true });
  const second = createPromMetrics({ processMetrics: true });
  first.counter({ name: "parley_y_total", help: "Y." }).add(1);
  assert.match((await first.collect()).text, /process_cpu_user_seconds_total/);
  assert.doesNotMatch((await second.collect()).text, /parley_y_total/);
});
