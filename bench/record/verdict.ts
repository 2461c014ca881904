import type { Bar } from "./runs.ts";

/** One line of a raw file: a machine, or a run's figures. */
export type RawLine = Readonly<Record<string, unknown>>;

export interface Verdict {
  readonly value: number | undefined;
  readonly most: number | undefined;
  /** Undefined: not measured, or the run was void. */
  readonly met: boolean | undefined;
  /** Why a run does not count. */
  readonly problem: string | undefined;
}

/** Of several runs: the one farthest from its bar, or beyond it. */
export function worst(bar: Bar, lines: readonly RawLine[]): Verdict {
  const share = ({ value, most, met }: Verdict): number =>
    met === undefined ? Number.POSITIVE_INFINITY : (value ?? 0) / Math.max(most ?? 0, Number.EPSILON);
  const verdicts = lines.map((line) => judge(bar, line));
  return verdicts.reduce((one, other) => (share(other) > share(one) ? other : one));
}

export function judge(bar: Bar, line: RawLine): Verdict {
  const value = numeric(line[bar.figure]);
  const most = typeof bar.most === "number" ? bar.most : numeric(line[bar.most.figure]);
  const told = line["problem"] ?? line["void"];
  const missing = value === undefined || most === undefined;
  const problem = typeof told === "string" ? told : missing ? "not measured" : undefined;
  return { value, most, met: missing || problem !== undefined ? undefined : value <= most, problem };
}

function numeric(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
