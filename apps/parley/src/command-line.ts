import { err, ok, type Result } from "@parley/foundation";
import { nearestName } from "./config/nearest-name.ts";

export interface CommandLine {
  /** Names before the first flag: `config check`. */
  readonly words: readonly string[];
  /** Flags in order, without their dashes; a switch has the text `true`. */
  readonly flags: readonly (readonly [name: string, text: string])[];
}

/** Splits arguments: `--name value`, `--name=value`, and `--switch` for the names in `switches`. */
export function parseCommandLine(args: readonly string[], switches: ReadonlySet<string>): Result<CommandLine, string> {
  const words: string[] = [];
  const flags: (readonly [string, string])[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (!argument.startsWith("--")) {
      words.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    // `--publish=false` must not be taken for `--publish`.
    if (equals >= 0 && switches.has(name)) return err(`--${name} takes no value`);
    if (equals >= 0) flags.push([name, argument.slice(equals + 1)]);
    else if (switches.has(name)) flags.push([name, "true"]);
    else {
      const value = args[index + 1];
      if (value === undefined || value.startsWith("--")) return err(`--${name} needs a value`);
      flags.push([name, value]);
      index += 1;
    }
  }
  return ok({ words, flags });
}

/** The error text for a flag that a command does not have. */
export function unknownFlag(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? `unknown flag --${name}` : `unknown flag --${name}; did you mean --${nearest}?`;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `12h`, `30d`; undefined for anything else, zero included. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const durationMs = Number(match?.[1] ?? 0) * (unitsMs[match?.[2] ?? ""] ?? 0);
  return durationMs > 0 ? durationMs : undefined;
}
