// The server as it is, with what a bandwidth estimator would read: every report and group of transport-wide feedback, summed by session. What it
// has read stands among the server's metrics. The product has no such consumer yet; the benchmarks' figures are with one unless told otherwise.
import { configOf, parseCommandLine, serve } from "@parley/app";
import type { Metrics } from "@parley/foundation";
import type { MediaNodeDeps } from "@parley/service-media";

type Consumer = NonNullable<MediaNodeDeps["onTransportFeedback"]>;

/** What an estimator keeps of a session at least. */
interface Sums {
  packets: number;
  bytes: number;
  lost: number;
  /** How much the queue on the way has grown. */
  queuedUs: number;
}

const forgetMs = 10_000;

function consumer(metrics: Metrics): Consumer {
  let sessions = new Map<string, Sums>();
  // Who is silent for one to two of these has gone: an hour of people who come and go must not be kept.
  let former = new Map<string, Sums>();
  setInterval(() => {
    former = sessions;
    sessions = new Map();
  }, forgetMs).unref();
  const read = { reports: 0, groups: 0 };
  for (const kind of ["reports", "groups"] as const) {
    const name = `parley_bench_feedback_${kind}_total`;
    const counter = metrics.counter({ name, help: "Read by the benchmark's consumer." });
    let told = 0;
    metrics.onCollect(() => {
      counter.add(read[kind] - told);
      told = read[kind];
    });
  }
  return (sessionId, { groups }) => {
    let sums = sessions.get(sessionId);
    if (sums === undefined) {
      sums = former.get(sessionId) ?? { packets: 0, bytes: 0, lost: 0, queuedUs: 0 };
      sessions.set(sessionId, sums);
    }
    const { count } = groups;
    for (let index = 0; index < count; index += 1) {
      sums.queuedUs += groups.receiveDeltaUs(index) - groups.sendDeltaUs(index);
      sums.packets += groups.packets(index);
      sums.bytes += groups.bytes(index);
      sums.lost += groups.lost(index);
    }
    read.reports += 1;
    read.groups += count;
  };
}

const line = parseCommandLine(process.argv.slice(2), new Set());
const config = line.ok ? configOf(line.value.flags) : line;
if (config.ok) {
  const exitCode = await serve(config.value, false, (metrics) => ({ onTransportFeedback: consumer(metrics) }));
  if (exitCode !== undefined) process.exitCode = exitCode;
} else {
  console.error(config.error);
  process.exitCode = 2;
}
