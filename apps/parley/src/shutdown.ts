import type { Clock, Logger } from "@parley/foundation";

/** What is running, as far as its end is concerned. */
export interface Drainable {
  /** Takes nothing new. Resolves when nothing is left that would suffer. */
  drain(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/**
 * Signals come in flocks: a terminal sends SIGINT to the whole process group, and npm and `npm start` pass theirs on as well. What comes
 * within this time of the first is the same wish.
 */
const sameSignalMs = 500;

/** Closing what is left may not hang for ever either. */
const closeDeadlineMs = 5_000;

export interface ShutdownDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deadlineMs: number;
  /** Ends the process. */
  readonly exit: (code: number) => void;
}

/**
 * The end of the program: the first signal drains, within the deadline, then closes and exits 0; a second one exits at once
 * with the signal's code.
 */
export class Shutdown {
  readonly #program: Drainable;
  readonly #deps: ShutdownDeps;
  #firstSignalMonoMs: number | undefined;

  constructor(program: Drainable, deps: ShutdownDeps) {
    this.#program = program;
    this.#deps = deps;
  }

  /** To be called for each SIGTERM and SIGINT; `exitCode` is the signal's own (128 + number). */
  onSignal(name: string, exitCode: number): void {
    const { clock, logger, exit } = this.#deps;
    const nowMs = clock.monoMs();
    if (this.#firstSignalMonoMs === undefined) {
      this.#firstSignalMonoMs = nowMs;
      logger.info("shutting down", { signal: name, deadlineMs: this.#deps.deadlineMs });
      void this.#finish();
    } else if (nowMs - this.#firstSignalMonoMs >= sameSignalMs) {
      logger.warn("second signal: ending at once", { signal: name });
      exit(exitCode);
    }
  }

  async #finish(): Promise<void> {
    const { logger, exit, deadlineMs } = this.#deps;
    const drained = await this.#within(deadlineMs, this.#program.drain(), "draining failed");
    if (!drained) logger.warn("deadline reached: closing what is left");
    const closed = await this.#within(closeDeadlineMs, this.#program.close(), "closing failed");
    logger.info("stopped");
    exit(closed ? 0 : 1);
  }

  /** Whether `work` ended (well or badly) in time. */
  #within(limitMs: number, work: Promise<void>, failure: string): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(limitMs, () => resolve(false));
      work
        .catch((error: unknown) => {
          this.#deps.logger.error(failure, { error: error instanceof Error ? error : new Error(String(error)) });
        })
        .finally(() => {
          timer.cancel();
          resolve(true);
        });
    });
  }
}
