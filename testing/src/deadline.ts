import { loadavg } from "node:os";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

/**
 * Waits of integration tests: conditions are polled against a deadline, and a miss says what was seen last, which phases were passed
 * when, and how busy the machine was, so that a slow machine and a fault can be told apart.
 */

/** Named instants of a test, printed when a deadline is missed. */
export class Phases {
  readonly #startedAtMs = performance.now();
  readonly #marks: { readonly name: string; readonly atMs: number }[] = [];
  readonly #cpuAtStart = readCpu();

  /** Remembers that `name` was reached now; returns milliseconds since the phases began. */
  mark(name: string): number {
    const atMs = performance.now() - this.#startedAtMs;
    this.#marks.push({ name, atMs });
    return atMs;
  }

  /** Milliseconds from the mark `from` to the mark `to` (the last of that name). Throws when one was not reached. */
  between(from: string, to: string): number {
    const find = (name: string): number => {
      const mark = this.#marks.findLast((one) => one.name === name);
      if (mark === undefined) throw new Error(`phase ${name} was not reached`);
      return mark.atMs;
    };
    return find(to) - find(from);
  }

  toString(): string {
    const marks = this.#marks.map(({ name, atMs }) => `${name} ${Math.round(atMs)} ms`).join(", ");
    return `phases: ${marks === "" ? "none" : marks}; ${describeLoad(this.#cpuAtStart)}`;
  }
}

/** Thrown by {@link until}. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

export interface UntilOptions {
  /** For the message: "the viewer shows the picture". */
  readonly what: string;
  readonly deadlineMs: number;
  /** 50 unless told: fine enough for deadlines of seconds, coarse enough for two cores. */
  readonly intervalMs?: number;
  readonly phases?: Phases;
  /** Says what was seen last, for the message. */
  readonly describe?: () => unknown;
}

/**
 * Polls `condition` until it gives something other than undefined, null or false, and resolves with that.
 *
 * @throws {DeadlineError} with phases and load when the deadline passes; errors of `condition` pass through.
 */
export async function until<T>(
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: UntilOptions,
): Promise<T> {
  const cpuAtStart = readCpu();
  const endAtMs = performance.now() + options.deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() >= endAtMs) break;
    await wait(options.intervalMs ?? 50);
  }
  const seen = options.describe === undefined ? "" : `\n  last seen: ${JSON.stringify(options.describe())}`;
  const phases = options.phases === undefined ? describeLoad(cpuAtStart) : options.phases.toString();
  throw new DeadlineError(`not within ${options.deadlineMs} ms: ${options.what}${seen}\n  ${phases}`);
}

interface Cpu {
  readonly busyTicks: number;
  readonly totalTicks: number;
}

function readCpu(): Cpu {
  try {
    const fields = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "")
      .trim()
      .split(/\s+/)
      .slice(1, 9)
      .map(Number);
    const totalTicks = fields.reduce((sum, one) => sum + one, 0);
    return { busyTicks: totalTicks - (fields[3] ?? 0) - (fields[4] ?? 0), totalTicks };
  } catch {
    return { busyTicks: 0, totalTicks: 0 };
  }
}

function describeLoad(since: Cpu): string {
  const now = readCpu();
  const totalTicks = now.totalTicks - since.totalTicks;
  const busy = totalTicks <= 0 ? "unknown" : `${Math.round((100 * (now.busyTicks - since.busyTicks)) / totalTicks)} %`;
  return `machine: ${busy} busy meanwhile, load ${loadavg()
    .map((one) => one.toFixed(1))
    .join(" ")}`;
}
