import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@parley/foundation";
import { createPromMetrics } from "./prom-metrics.ts";

test("[QOS-2] counters, gauges and histograms come out in the exposition format", async () => {
  const metrics = createPromMetrics({ processMetrics: undefined });
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
  const metrics = createPromMetrics({ processMetrics: undefined });
  const options = { name: "parley_x_total", help: "X." };
  metrics.counter(options).add(1);
  metrics.counter(options).add(1);
  assert.match((await metrics.collect()).text, /^parley_x_total 2$/m);
  assert.throws(() => metrics.gauge(options), /registered twice/);
  assert.throws(() => metrics.counter({ ...options, help: "Y." }), /registered twice/);
  assert.throws(() => metrics.counter(options).add(1, ["a"]), /0 labels, got 1/);
});

test("two programs in one process do not mix their metrics", async () => {
  const first = createPromMetrics({ processMetrics: clockByHand().clock });
  const second = createPromMetrics({ processMetrics: clockByHand().clock });
  first.counter({ name: "parley_y_total", help: "Y." }).add(1);
  assert.match((await first.collect()).text, /process_cpu_user_seconds_total/);
  assert.doesNotMatch((await second.collect()).text, /parley_y_total/);
});

test("how late the event loop was comes from the clock's beat, and only since the last collection", async () => {
  const hand = clockByHand();
  const metrics = createPromMetrics({ processMetrics: hand.clock });
  const longestS = async (): Promise<number> => {
    const { text } = await metrics.collect();
    return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]);
  };
  for (const waitedMs of [100, 100, 350, 100]) hand.pass(waitedMs);
  assert.ok(Math.abs((await longestS()) - 0.25) < 0.01);
  hand.pass(100);
  assert.ok((await longestS()) < 0.001);
});

/** Each passing of time is one beat. */
function clockByHand(): { readonly clock: Clock; pass(ms: number): void } {
  let nowMs = 0;
  const beats: (() => void)[] = [];
  const clock: Clock = {
    monoMs: () => nowMs,
    unixMs: () => nowMs,
    after: () => assert.fail("not expected"),
    every: (_periodMs, callback) => {
      beats.push(callback);
      return { cancel: () => undefined };
    },
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const beat of beats) beat();
  };
  return { clock, pass };
}
