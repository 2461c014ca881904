import type { Clock, Timer } from "@parley/foundation";
import { PathWatch } from "./path-watch.ts";
import { selectedPair, type StatsEntry } from "./stats.ts";

export interface PathSamplerDeps {
  readonly clock: Clock;
  readonly pc: RTCPeerConnection;
  /** Whether packets should be coming in all the time now. `sentPackets`: since the last look; undefined: the browser does not tell. */
  expectsPackets(sentPackets: number | undefined): boolean;
  /** Nothing comes although it should. */
  onSilent(): void;
  /** Packets come again, after {@link PathSampler.awaitReturn}. */
  onReturned(): void;
}

const samplePeriodMs = 600;

/** Looks at the packets of one PeerConnection again and again: whether its path lives, and whether it does again after an ICE restart. */
export class PathSampler {
  readonly #deps: PathSamplerDeps;
  readonly #watch = new PathWatch();
  #timer: Timer | undefined;
  #isStopped = false;
  #sentPackets: number | undefined;
  #awaitsReturn = false;
  #packetsAtRestart: number | undefined;

  constructor(deps: PathSamplerDeps) {
    this.#deps = deps;
  }

  /** From now on; the first look is a period away. */
  start(): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.after(samplePeriodMs, () => {
      packetsOf(this.#deps.pc).then(
        (packets) => {
          if (!this.#isStopped) this.#take(packets);
        },
        () => undefined,
      );
    });
  }

  /** ICE has been restarted: packets are to show that it was of use. */
  awaitReturn(): void {
    this.#awaitsReturn = true;
    this.#packetsAtRestart = undefined;
  }

  /** For good: the PeerConnection is nobody's. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #take({ received: receivedPackets, sent }: PacketCounts): void {
    if (this.#awaitsReturn) this.#lookForReturn(receivedPackets);
    const { clock } = this.#deps;
    const sentNow = sent === undefined || this.#sentPackets === undefined ? undefined : sent - this.#sentPackets;
    this.#sentPackets = sent;
    const expectsPackets = this.#deps.expectsPackets(sentNow);
    if (this.#watch.add({ atMs: clock.monoMs(), receivedPackets, expectsPackets })) this.#deps.onSilent();
    if (!this.#isStopped) this.start();
  }

  #lookForReturn(receivedPackets: number | undefined): void {
    if (receivedPackets === undefined) {
      // A browser that does not count; its own word must do.
      if (this.#deps.pc.iceConnectionState === "connected") this.#returned();
      return;
    }
    this.#packetsAtRestart ??= receivedPackets;
    // Fewer: another pair, whose count begins with the restart.
    if (receivedPackets < this.#packetsAtRestart) this.#packetsAtRestart = 0;
    // Answers to the new checks, or media: the path lives.
    if (receivedPackets > this.#packetsAtRestart + 1) this.#returned();
  }

  #returned(): void {
    this.#awaitsReturn = false;
    this.#deps.onReturned();
  }
}

interface PacketCounts {
  /** Everything that came in on the selected pair: media, feedback, answers to our checks. Undefined: no pair, or the browser does not tell. */
  readonly received: number | undefined;
  /** Media and feedback that went out. */
  readonly sent: number | undefined;
}

async function packetsOf(pc: RTCPeerConnection): Promise<PacketCounts> {
  const report = await pc.getStats();
  const pair = selectedPair([...(report.values() as Iterable<StatsEntry>)]);
  if (pair === undefined) return { received: undefined, sent: undefined };
  const count = (name: string): number => (typeof pair[name] === "number" ? pair[name] : 0);
  return {
    received: count("packetsReceived") + count("responsesReceived") + count("requestsReceived"),
    sent: typeof pair["packetsSent"] === "number" ? pair["packetsSent"] : undefined,
  };
}
