import type { Clock, Timer } from "@parley/foundation";
import { ParleyError } from "../api/error.ts";
import type { OutgoingTrack, Publisher } from "../media/publisher.ts";
import type { RoomMethod } from "./local-participant.ts";

export interface MuteReportsDeps {
  readonly clock: Clock;
  readonly publisher: Publisher | undefined;
  request(method: RoomMethod): Promise<void>;
}

/** Pauses before the server is told once more, the last one for all that follow. */
const pausesMs = [500, 1_000, 2_000, 4_000];

interface Report {
  /** The last word to the server. */
  muted: boolean;
  /** Grows with every word. */
  turn: number;
  failures: number;
  /** Until it is looked at whether that word still holds. */
  look: Timer | undefined;
}

/**
 * That the server knows which of our tracks are muted: one that it takes for muted it forwards to nobody. What it could not be told (the link may be
 * broken for longer than a request waits) it is told when it can be, as it is then.
 */
export class MuteReports {
  readonly #deps: MuteReportsDeps;
  readonly #reports = new Map<OutgoingTrack, Report>();

  constructor(deps: MuteReportsDeps) {
    this.#deps = deps;
    // It was muted or unmuted after the offer was made that says how it is.
    deps.publisher?.on("outdated", (outgoing) => {
      this.tell(outgoing, this.#reports.get(outgoing)?.muted ?? outgoing.muted).catch(() => undefined);
    });
  }

  /** Settles as the first attempt does; also when the server has no such track now, for the next offer says how it is. */
  async tell(outgoing: OutgoingTrack, muted: boolean): Promise<void> {
    const report = this.#next(outgoing, muted);
    const { turn } = report;
    const isLast = (): boolean => this.#reports.get(outgoing) === report && report.turn === turn;
    const places = this.#deps.publisher?.placesOf(outgoing) ?? [];
    try {
      await Promise.all(
        places.map(({ streamId, mid }) =>
          this.#deps.request({ case: "setTrackMuted", value: { streamId, mid, muted } }),
        ),
      );
    } catch (error) {
      if (isLast()) this.#onFailed(outgoing, report, error);
      if (error instanceof ParleyError && isGone(error)) return;
      throw error;
    }
    if (!isLast()) return;
    report.failures = 0;
    // Whoever asked goes by the answer, a moment after it.
    this.#lookAfter(outgoing, report, 0, () => report.muted !== outgoing.muted);
  }

  /** We have left. */
  close(): void {
    for (const { look } of this.#reports.values()) look?.cancel();
    this.#reports.clear();
  }

  #next(outgoing: OutgoingTrack, muted: boolean): Report {
    const before = this.#reports.get(outgoing);
    before?.look?.cancel();
    const report = before ?? { muted, turn: 0, failures: 0, look: undefined };
    report.muted = muted;
    report.turn += 1;
    report.look = undefined;
    this.#reports.set(outgoing, report);
    return report;
  }

  #onFailed(outgoing: OutgoingTrack, report: Report, error: unknown): void {
    if (!(error instanceof ParleyError) || !error.retryable || isGone(error)) {
      this.#reports.delete(outgoing);
      return;
    }
    const pauseMs = pausesMs[Math.min(report.failures, pausesMs.length - 1)] ?? 0;
    report.failures += 1;
    // It may have arrived all the same, only its answer did not.
    this.#lookAfter(outgoing, report, Math.max(pauseMs, error.retryAfterMs), () => true);
  }

  #lookAfter(outgoing: OutgoingTrack, report: Report, delayMs: number, isWrong: () => boolean): void {
    report.look = this.#deps.clock.after(delayMs, () => {
      report.look = undefined;
      if (isWrong()) this.tell(outgoing, outgoing.muted).catch(() => undefined);
      else this.#reports.delete(outgoing);
    });
  }
}

function isGone({ code }: ParleyError): boolean {
  return code === "connection-lost" || code === "stream-not-found";
}
