/** What a step of growing load showed. */
export interface SizingStep {
  readonly subscribers: number;
  readonly megabitPerSecond: number;
  readonly cpuUsPerPacket: number;
  /** Of one core: the busiest thread that moves packets, and the one of JavaScript. */
  readonly dataPlaneShare: number;
  readonly javascriptShare: number;
  /** Packets that never came, and of how many. */
  readonly lost: number;
  readonly packets: number;
  /** From the camera's send call to the viewer, 99 of 100 packets. */
  readonly p99Us: number;
  /** The load client was the bottleneck, not the server. */
  readonly void?: string;
}

export interface Verdict {
  readonly subscribers: number;
  readonly megabitPerSecond: number;
  /** What there is too little of first, for people. */
  readonly limitedBy: string;
  /** Nothing was too much when the steps ended: the machine carries these and probably more. */
  readonly atLeast: boolean;
}

/** A thread that is busier than this has no room for a bad second. */
const fullShare = 0.8;
/** After repair; one packet in a thousand is heard and seen. */
const lossLimit = 0.001;
/** Half a frame. */
const p99LimitUs = 16_000;
/** What was not measured is guessed no further than this. */
const furthestGuess = 2;

/** Why a step is too much; undefined: it is not. */
export function tooMuch(step: SizingStep): string | undefined {
  if (step.void !== undefined) return `the load on this same machine: ${step.void}`;
  if (step.dataPlaneShare > fullShare) return "the threads that move packets";
  if (step.javascriptShare > fullShare) return "the JavaScript thread";
  if (step.lost > step.packets * lossLimit) return "loss";
  if (step.p99Us > p99LimitUs) return "latency";
  return undefined;
}

/** Too much by what another program on the machine may have done in these seconds: worth a second look. */
export function mayBeChance(step: SizingStep): boolean {
  return tooMuch(step) !== undefined && Math.max(step.dataPlaneShare, step.javascriptShare) <= fullShare;
}

/**
 * How many subscribers the machine is good for, from steps in growing order: as many as fill the busiest thread to 80 %, by the last step that was not
 * too much, but never as many as were, and no more than halfway there unless it was the threads that were full. `ceiling`: what stopped the steps although the last was not too much.
 */
export function verdictOf(steps: readonly SizingStep[], ceiling: string): Verdict {
  const failed = steps.find((step) => tooMuch(step) !== undefined);
  const good = steps.filter((step) => tooMuch(step) === undefined).findLast((step) => step !== failed);
  if (good === undefined) {
    const limitedBy = (failed && tooMuch(failed)) ?? "nothing was measured";
    return { subscribers: 0, megabitPerSecond: 0, limitedBy, atLeast: false };
  }
  const busiest = Math.max(good.dataPlaneShare, good.javascriptShare, Number.EPSILON);
  const byThreads = Math.floor((good.subscribers * fullShare) / busiest);
  const most = failed === undefined ? good.subscribers * furthestGuess : mostBelow(failed, good);
  const subscribers = roundDown(Math.max(good.subscribers, Math.min(byThreads, most)));
  const threads =
    good.dataPlaneShare >= good.javascriptShare ? "the threads that move packets" : "the JavaScript thread";
  const reason = failed === undefined ? undefined : tooMuch(failed);
  return {
    subscribers,
    megabitPerSecond: Math.round((good.megabitPerSecond / good.subscribers) * subscribers),
    limitedBy: byThreads <= most ? threads : (reason ?? ceiling),
    atLeast: byThreads > most && failed === undefined,
  };
}

function mostBelow(failed: SizingStep, good: SizingStep): number {
  // What came too late or never does not grow evenly with the load, so where it began is not known.
  return failed.void !== undefined || mayBeChance(failed)
    ? Math.floor((good.subscribers + failed.subscribers) / 2)
    : failed.subscribers - 1;
}

/** Two digits: nobody measured more. */
function roundDown(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1);
  return Math.floor(value / unit) * unit;
}

/** A table for people. */
export function sizingTable(steps: readonly SizingStep[]): string {
  const head = ["subscribers", "Mb/s", "us/packet", "data plane", "JavaScript", "lost", "p99 ms"];
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const rows = steps.map((step) => [
    String(step.subscribers),
    step.megabitPerSecond.toFixed(0),
    step.cpuUsPerPacket.toFixed(2),
    percent(step.dataPlaneShare),
    percent(step.javascriptShare),
    String(step.lost),
    (step.p99Us / 1000).toFixed(2),
  ]);
  return [head, ...rows]
    .map((row) => row.map((cell, column) => cell.padStart(head[column]?.length ?? 0)).join("  "))
    .join("\n");
}
