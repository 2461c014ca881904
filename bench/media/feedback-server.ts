// The server as it is, with what a bandwidth estimator would read: every report and group of transport-wide feedback, summed by session. What it
// has read stands among the server's metrics. The product has no such consumer yet; the benchmarks' figures are with one unless told otherwise.
import { configOf, parseCommandLine, serve } from "@parley/app";
import type { Metrics } from "@parley/foundation";
import type { FeedbackFollower } from "@parley/service-media";

const read = { reports: 0, groups: 0 };

/** What an estimator keeps of a session at least. */
class Sums implements FeedbackFollower {
  packets = 0;
  bytes = 0;
  lost = 0;
  /** How much the queue on the way has grown. */
  queuedUs = 0;

  take({ groups }: Parameters<FeedbackFollower["take"]>[0]): void {
    const { count } = groups;
    for (let index = 0; index < count; index += 1) {
      this.queuedUs += groups.receiveDeltaUs(index) - groups.sendDeltaUs(index);
      this.packets += groups.packets(index);
      this.bytes += groups.bytes(index);
      this.lost += groups.lost(index);
    }
    read.reports += 1;
    read.groups += count;
  }

  close(): void {}
}

function follower(metrics: Metrics): () => FeedbackFollower {
  for (const kind of ["reports", "groups"] as const) {
    const name = `parley_bench_feedback_${kind}_total`;
    const counter = metrics.counter({ name, help: "Read by the benchmark's consumer." });
    let told = 0;
    metrics.onCollect(() => {
      counter.add(read[kind] - told);
      told = read[kind];
    });
  }
  return () => new Sums();
}

const line = parseCommandLine(process.argv.slice(2), new Set());
const config = line.ok ? configOf(line.value.flags) : line;
if (config.ok) {
  const exitCode = await serve(config.value, false, (metrics) => ({ followFeedback: follower(metrics) }));
  if (exitCode !== undefined) process.exitCode = exitCode;
} else {
  console.error(config.error);
  process.exitCode = 2;
}
