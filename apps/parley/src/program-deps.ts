import type { Clock, Logger, Metrics, Random } from "@parley/foundation";
import type { MediaNodeDeps } from "@parley/service-media";

/** What every part of the program gets from its start. */
export interface ProgramDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** Anybody may have tokens of the development app. */
  readonly dev: boolean;
  /** Who is told what subscribers' transport-wide feedback came to. Nobody wants it yet but the benchmarks, to have its cost in their figures. */
  readonly followFeedback?: MediaNodeDeps["followFeedback"];
}
