// npm run bench:media -- --subscribers 100 --profile burst|spread --srtp gcm|sha1 [--gro] [--seconds 10] [--threads n] --json
// npm run bench:media -- --profile meeting|latency|churn|joins|control|publishers|growth ...
//
// What a forwarded packet costs the server, as a ratio to what the same datagrams cost with no work but sending, and what it stands. See
// README.md here.
import { mediaHelp, readArguments, type MediaBenchOptions, type MediaProfile } from "./media/arguments.ts";
import { churning } from "./media/profiles/churn.ts";
import { control } from "./media/profiles/control.ts";
import { forwarding } from "./media/profiles/forwarding.ts";
import { growth } from "./media/profiles/growth.ts";
import { joins } from "./media/profiles/joins.ts";
import { latency } from "./media/profiles/latency.ts";
import { meeting } from "./media/profiles/meeting.ts";
import { publishers } from "./media/profiles/publishers.ts";
import type { Figures } from "./media/stand.ts";

/** The exit code of a run whose figures mean nothing, because the load and not the server was the bottleneck. */
const voidExitCode = 3;

const runs: Readonly<Record<MediaProfile, (options: MediaBenchOptions) => Promise<Figures>>> = {
  burst: forwarding,
  spread: forwarding,
  meeting,
  latency,
  churn: churning,
  joins,
  control,
  publishers,
  growth,
};

async function run(args: readonly string[]): Promise<void> {
  const options = readArguments(args);
  const figures = await runs[options.profile](options);
  console.log(options.json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2));
  if (figures.void !== undefined) {
    console.error(`This run is void: ${figures.void}.`);
    process.exitCode = voidExitCode;
  }
}

try {
  const args = process.argv.slice(2);
  if (args.includes("--help")) console.log(mediaHelp);
  else await run(args);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
