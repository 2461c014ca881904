import { parseArgs } from "node:util";

const profiles = [
  "burst",
  "spread",
  "meeting",
  "latency",
  "churn",
  "joins",
  "control",
  "publishers",
  "growth",
] as const;
export type MediaProfile = (typeof profiles)[number];

export interface MediaBenchOptions {
  readonly profile: MediaProfile;
  /** How the packets of a camera follow each other. */
  readonly camera: "burst" | "spread";
  readonly srtp: "gcm" | "sha1";
  /** The viewers' sockets take coalesced packets, to stand for a card's offload. */
  readonly gro: boolean;
  readonly seconds: number;
  readonly warmupJoins: number;
  /** Threads of the data plane; 0: the server's default. */
  readonly threads: number;
  /** Only one line of JSON on standard output. */
  readonly json: boolean;
  readonly subscribers: number;
  /** Of each meeting. */
  readonly people: number;
  readonly meetings: number;
  readonly publishers: number;
  /** Cameras send so many times as often as a real one; undefined: what the profile takes for itself. */
  readonly pace: number | undefined;
  /** Joins and leaves per second. */
  readonly joins: number;
  /** Slots bound to another stream per second. */
  readonly switches: number;
  /** Packets per second to all viewers together, where a profile keeps that constant. */
  readonly totalPacketsPerSecond: number;
  /** Whether the server has a consumer of transport-wide feedback. */
  readonly feedback: "on" | "off";
  /** `off`: the server's data plane runs without real-time scheduling. */
  readonly realtime: "on" | "off";
}

export const mediaHelp = `npm run bench:media -- [flags]     what a forwarded packet costs, and what the server stands (bench/README.md)
  --profile burst       ${profiles.join(", ")}
  --camera burst        or spread, with the profiles that take it
  --srtp gcm            or sha1
  --seconds 10          of the measured window (churn: 60)
  --warmup 500          joins and leaves before anything is measured (churn: 1000)
  --threads 0           of the data plane; 0: what the server takes by itself
  --pace 1              cameras send so many times as often
  --gro                 viewers' sockets take coalesced packets
  --realtime off        the data plane runs without real-time scheduling
  --feedback off        nobody in the server takes transport-wide feedback
  --subscribers 100     viewers (control: 2000)
  --people 10           of each meeting; --meetings 1
  --publishers 300      cameras that nobody watches
  --joins 20            a second (joins: 200)
  --switches 1000       slots bound a second
  --total 60000         packets a second to all viewers: control, growth
  --json                one line; progress goes to standard error
Exit code 3: the figures mean nothing, because the load and not the server was the bottleneck.`;

/** What a profile takes when nothing is said. */
const defaults: Partial<Record<MediaProfile, Readonly<Record<string, string>>>> = {
  churn: { seconds: "60", joins: "20", warmup: "1000" },
  joins: { joins: "200" },
  control: { subscribers: "2000" },
};

/** Throws with a message for people when an argument makes no sense. */
export function readArguments(args: readonly string[]): MediaBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      profile: { type: "string", default: "burst" },
      camera: { type: "string" },
      srtp: { type: "string", default: "gcm" },
      gro: { type: "boolean", default: false },
      seconds: { type: "string" },
      warmup: { type: "string" },
      threads: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
      subscribers: { type: "string" },
      people: { type: "string", default: "10" },
      meetings: { type: "string", default: "1" },
      publishers: { type: "string", default: "300" },
      pace: { type: "string" },
      joins: { type: "string" },
      switches: { type: "string", default: "1000" },
      total: { type: "string", default: "60000" },
      feedback: { type: "string", default: "on" },
      realtime: { type: "string", default: "on" },
    },
  });
  const profile = oneOf("profile", values.profile, profiles);
  const own = defaults[profile] ?? {};
  const value = (name: "seconds" | "warmup" | "subscribers" | "joins", otherwise: string): string =>
    values[name] ?? own[name] ?? otherwise;
  return {
    profile,
    camera: oneOf("camera", values.camera ?? (profile === "spread" ? "spread" : "burst"), ["burst", "spread"] as const),
    srtp: oneOf("srtp", values.srtp, ["gcm", "sha1"] as const),
    gro: values.gro,
    seconds: count("seconds", value("seconds", "10"), 1, 7_200),
    warmupJoins: count("warmup", value("warmup", "500"), 0, 100_000),
    threads: count("threads", values.threads, 0, 64),
    json: values.json,
    subscribers: count("subscribers", value("subscribers", "100"), 1, 10_000),
    // The slots of one session end there.
    people: count("people", values.people, 2, 33),
    meetings: count("meetings", values.meetings, 1, 1_000),
    publishers: count("publishers", values.publishers, 1, 2_000),
    pace: values.pace === undefined ? undefined : amount("pace", values.pace, 0.01, 20),
    joins: count("joins", value("joins", "20"), 1, 1_000),
    switches: count("switches", values.switches, 1, 10_000),
    totalPacketsPerSecond: count("total", values.total, 1, 10_000_000),
    feedback: oneOf("feedback", values.feedback, ["on", "off"] as const),
    realtime: oneOf("realtime", values.realtime, ["on", "off"] as const),
  };
}

function count(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`--${name} is a whole number from ${least} to ${most}`);
  }
  return value;
}

function amount(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`--${name} is a number from ${least} to ${most}`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found === undefined) throw new Error(`--${name} is ${allowed.join(" or ")}`);
  return found;
}
