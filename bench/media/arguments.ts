import { parseArgs } from "node:util";

export interface MediaBenchOptions {
  readonly subscribers: number;
  readonly profile: "burst" | "spread";
  readonly srtp: "gcm" | "sha1";
  /** The viewers' sockets take coalesced packets, to stand for a card's offload. */
  readonly gro: boolean;
  readonly seconds: number;
  readonly warmupJoins: number;
  /** Threads of the data plane; 0: the server's default. */
  readonly threads: number;
  /** Only one line of JSON on standard output. */
  readonly json: boolean;
}

/** Throws with a message for people when an argument makes no sense. */
export function readArguments(args: readonly string[]): MediaBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      subscribers: { type: "string", default: "100" },
      profile: { type: "string", default: "burst" },
      srtp: { type: "string", default: "gcm" },
      gro: { type: "boolean", default: false },
      seconds: { type: "string", default: "10" },
      warmup: { type: "string", default: "500" },
      threads: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
    },
  });
  return {
    subscribers: count("subscribers", values.subscribers, 1, 10_000),
    profile: oneOf("profile", values.profile, ["burst", "spread"] as const),
    srtp: oneOf("srtp", values.srtp, ["gcm", "sha1"] as const),
    gro: values.gro,
    seconds: count("seconds", values.seconds, 1, 3_600),
    warmupJoins: count("warmup", values.warmup, 0, 100_000),
    threads: count("threads", values.threads, 0, 64),
    json: values.json,
  };
}

function count(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`--${name} is a whole number from ${least} to ${most}`);
  }
  return value;
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found === undefined) throw new Error(`--${name} is ${allowed.join(" or ")}`);
  return found;
}
