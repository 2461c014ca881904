import type { Clock, Logger, Metrics, Random } from "@parley/foundation";
import type { Config } from "./config/schema.ts";
import type { Drainable } from "./shutdown.ts";

export interface ProgramDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** The page may have tokens of the development app. */
  readonly dev: boolean;
}

export interface Program extends Drainable {
  /** Where the page is. */
  readonly pageUrl: string;
}
