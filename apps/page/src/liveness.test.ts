import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

type Verdict = "alive" | "ask" | "dead";
interface LivenessModule {
  readonly Liveness: new (nowMs: number) => { sample(nowMs: number, receivedBytes: number): Verdict };
  readonly Backoff: new () => { nextMs(): number; reset(): void };
}

// The page's own file, as browsers get it: plain JavaScript without types.
const file = new URL("../assets/liveness.js", import.meta.url);
const { Liveness, Backoff } = (await import(pathToFileURL(file.pathname).href)) as LivenessModule;

/** Samples every 250 ms: `grows(nowMs)` says whether bytes came since the last one. */
function run(
  untilMs: number,
  grows: (nowMs: number) => boolean,
): { readonly atMs: number; readonly verdict: Verdict }[] {
  const liveness = new Liveness(0);
  const verdicts: { atMs: number; verdict: Verdict }[] = [];
  let bytes = 0;
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 250) {
    if (grows(nowMs)) bytes += 1000;
    verdicts.push({ atMs: nowMs, verdict: liveness.sample(nowMs, bytes) });
  }
  return verdicts.filter(({ verdict }) => verdict !== "alive");
}

test("a flow that goes on raises no question", () => {
  assert.deepEqual(
    run(60_000, () => true),
    [],
  );
});

test("a flow that stops raises a question within a second, and again every half second", () => {
  const questions = run(4000, (nowMs) => nowMs <= 2000);
  assert.equal(questions[0]?.atMs, 2750);
  assert.deepEqual(
    questions.slice(0, 3).map(({ atMs }) => atMs),
    [2750, 3250, 3750],
  );
});

test("a path on which media flowed and nothing came for five seconds is dead, whatever the server says", () => {
  assert.equal(run(8000, (nowMs) => nowMs <= 1000).find(({ verdict }) => verdict === "dead")?.atMs, 6000);
});

test("where nobody publishes, answers to consent checks keep the path alive, with a question now and then", () => {
  const verdicts = run(60_000, (nowMs) => nowMs % 2500 === 0);
  assert.ok(verdicts.every(({ verdict }) => verdict === "ask"));
  assert.ok(verdicts.length > 0 && verdicts.length <= 60_000 / 1500);
});

test("a publisher that leaves makes no path dead: consent checks go on", () => {
  const verdicts = run(60_000, (nowMs) => nowMs < 10_000 || nowMs % 2500 === 0);
  assert.ok(verdicts.every(({ verdict }) => verdict === "ask"));
});

test("the first attempt goes at once, later ones wait longer, never over two seconds", () => {
  const backoff = new Backoff();
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => backoff.nextMs()),
    [0, 250, 500, 1000, 2000, 2000],
  );
  backoff.reset();
  assert.equal(backoff.nextMs(), 0);
});
