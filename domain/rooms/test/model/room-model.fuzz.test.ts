import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed } from "@parley/testing";
import { ModelRun } from "./model-run.ts";

/** Enough for every pair of commands to have met on a bad network some hundred times; takes some seconds. */
const runs = 2_000;
const enoughRuns = 200;

test("8 clients in a room and its two breakout rooms, random commands, a network that loses, delays and repeats: snapshots, events and slot bindings agree in the end", () => {
  const goOn = fuzzBudget(runs);
  const firstSeed = fuzzSeed(1);
  const totals = {
    ...{ executed: 0, refused: 0, repeated: 0, gaps: 0, bound: 0, rebuilt: 0 },
    ...{ moved: 0, held: 0, banned: 0, heard: 0 },
  };
  let run = 0;
  for (; goOn(run); run += 1) {
    const seed = (firstSeed + run) >>> 0;
    try {
      const result = new ModelRun(seed).run();
      for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += result[key];
    } catch (error) {
      throw new Error(`run with FUZZ_SEED=${seed}`, { cause: error });
    }
  }
  // The test must have tested something; a few runs on a busy machine need not have met everything.
  if (run < enoughRuns) return;
  for (const [name, count] of Object.entries(totals)) assert.ok(count > 0, `${name}: ${JSON.stringify(totals)}`);
});
