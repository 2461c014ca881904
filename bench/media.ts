// npm run bench:media -- --subscribers 100 --profile burst|spread --srtp gcm|sha1 [--gro] [--seconds 10] [--threads n] --json
// npm run bench:media -- --profile meeting|latency|churn|joins|control|publishers|growth ...
//
// What a forwarded packet costs the server, as a ratio to what the same datagrams cost with no work but sending, and what it stands. See
// README.md here.
import { readArguments, type MediaBenchOptions, type MediaProfile } from "./media/arguments.ts";
import { forwarding } from "./media/profiles/forwarding.ts";
import { meeting } from "./media/profiles/meeting.ts";
import type { Figures } from "./media/stand.ts";

/** The exit code of a run whose figures mean nothing, because the load and not the server was the bottleneck. */
const voidExitCode = 3;

const runs: Partial<Record<MediaProfile, (options: MediaBenchOptions) => Promise<Figures>>> = {
  burst: forwarding,
  spread: forwarding,
  meeting,
};

try {
  const options = readArguments(process.argv.slice(2));
  const figures = await (runs[options.profile] ?? forwarding)(options);
  console.log(options.json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2));
  if (figures.void !== undefined) {
    console.error(`This run is void: ${figures.void}.`);
    process.exitCode = voidExitCode;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
