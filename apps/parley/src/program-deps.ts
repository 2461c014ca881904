import type { Clock, Logger, Metrics, Random } from "@parley/foundation";

/** What every part of the program gets from its start. */
export interface ProgramDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** Anybody may have tokens of the development app. */
  readonly dev: boolean;
}
