/**
 * Whether a fuzz test should go on: for `FUZZ_SECONDS` when that is set, else for `defaultRounds` rounds, so that an ordinary run is short and
 * reproducible.
 */
export function fuzzBudget(defaultRounds: number): (round: number) => boolean {
  const seconds = Number(process.env["FUZZ_SECONDS"] ?? "0");
  if (!(seconds > 0)) return (round) => round < defaultRounds;
  const endsAtMs = performance.now() + seconds * 1000;
  return () => performance.now() < endsAtMs;
}

/** The seed of a fuzz test: `FUZZ_SEED` to repeat a run, else `defaultSeed`; fresh in a timed run. */
export function fuzzSeed(defaultSeed: number): number {
  const given = process.env["FUZZ_SEED"];
  if (given !== undefined) return Number(given) >>> 0;
  return Number(process.env["FUZZ_SECONDS"] ?? "0") > 0 ? Date.now() >>> 0 : defaultSeed;
}
