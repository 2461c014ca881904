import { err, ok, type Result } from "@parley/foundation";
import { unknownFlag } from "../command-line.ts";
import { sizingTable } from "./sizing.ts";
import type { Sizing, SizingOptions } from "./sizing-run.ts";

export const benchSwitches = new Set(["json"]);

export const benchHelp = `parley bench media [flags]     sizes this machine: about how many subscribers at how many Mb/s
  --bitrate 1500        of each subscriber, kb/s
  --seconds 3           of each step
  --subscribers 2000    no more than so many
  --json                one line for programs`;

/** What a flag takes when nothing is said, and from where to where it may be. */
const numbers = {
  bitrate: { value: 1_500, least: 50, most: 10_000 },
  seconds: { value: 3, least: 1, most: 600 },
  subscribers: { value: 2_000, least: 1, most: 20_000 },
};

export interface BenchRequest {
  readonly sizing: SizingOptions;
  readonly json: boolean;
}

/** Reads the flags of `parley bench media`. */
export function readBenchFlags(flags: readonly (readonly [string, string])[]): Result<BenchRequest, string> {
  const values = Object.fromEntries(Object.entries(numbers).map(([name, { value }]) => [name, value]));
  let json = false;
  for (const [name, text] of flags) {
    if (name === "json") json = true;
    else if (name in numbers) {
      const { least, most } = numbers[name as keyof typeof numbers];
      const value = Number(text);
      if (!Number.isInteger(value) || value < least || value > most) {
        return err(`--${name} is a whole number from ${least} to ${most}`);
      }
      values[name] = value;
    } else return err(unknownFlag(name, [...Object.keys(numbers), ...benchSwitches]));
  }
  const { bitrate = 0, seconds = 0, subscribers = 0 } = values;
  return ok({ json, sizing: { bitrateKbps: bitrate, seconds, maxSubscribers: subscribers } });
}

/** Runs the steps and prints what they say: the exit code. */
export async function runBench(
  { sizing: options, json }: BenchRequest,
  print: (text: string) => void,
): Promise<number> {
  // Loaded only here, so that the other commands answer at once.
  const { sizeMachine } = await import("./sizing-run.ts");
  if (!json) print(`Sizing this machine at ${options.bitrateKbps} kb/s per subscriber; nothing leaves it.\n`);
  const sizing = await sizeMachine(options, (step) => {
    if (!json) print(`measured ${step.subscribers} subscribers`);
  });
  print(json ? JSON.stringify(sizing) : textOf(sizing));
  return 0;
}

function textOf({ cores, scheduling, bitrateKbps, steps, verdict }: Sizing): string {
  const { subscribers, megabitPerSecond, limitedBy, atLeast } = verdict;
  const lines = [
    "",
    sizingTable(steps),
    "",
    `${atLeast ? "At least" : "About"} ${subscribers} subscribers at ${megabitPerSecond} Mb/s (${bitrateKbps} kb/s each) on this machine; limited by ${limitedBy}.`,
    `${cores} cores, which the load shared; its network card was not in the way.`,
  ];
  if (scheduling !== "fifo") {
    lines.push(
      "The right to real-time scheduling is missing (CAP_SYS_NICE or LimitRTPRIO=), so a busy machine will delay packets.",
    );
  }
  return lines.join("\n");
}
