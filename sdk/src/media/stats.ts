import type { RoomStats, TrackStats } from "../api/stats.ts";
import type { TrackKind } from "../api/values.ts";

/** One entry of an RTCStatsReport; browsers differ in what they fill in. */
export type StatsEntry = Readonly<Record<string, unknown>>;

/** Which publication a section carries. */
export interface TrackOwner {
  readonly publicationId: string | undefined;
  readonly participantId: string | undefined;
  readonly source: TrackStats["source"];
}

export interface SessionReport {
  readonly direction: "send" | "receive";
  readonly entries: readonly StatsEntry[];
  /** Of a section, by mid. */
  owner(mid: string): TrackOwner | undefined;
}

interface Counters {
  readonly bytes: number;
  readonly packets: number;
  readonly lost: number;
}

function number(entry: StatsEntry | undefined, name: string): number | undefined {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function text(entry: StatsEntry | undefined, name: string): string | undefined {
  const value = entry?.[name];
  return typeof value === "string" ? value : undefined;
}

/** Sums up what browsers report, with rates between one look and the next. */
export class StatsSummary {
  #before = new Map<string, Counters>();
  #beforeAtMs: number | undefined;

  summarise(reports: readonly SessionReport[], nowMs: number, signalRttMs: number | undefined): RoomStats {
    const seconds = this.#beforeAtMs === undefined ? undefined : Math.max(0.001, (nowMs - this.#beforeAtMs) / 1000);
    const counters = new Map<string, Counters>();
    const tracks = reports.flatMap((report) => this.#tracks(report, seconds, counters));
    this.#before = counters;
    this.#beforeAtMs = nowMs;
    const pairs = reports.map(({ entries }) => selectedPair(entries));
    const rttsMs = pairs.flatMap((pair) => number(pair, "currentRoundTripTime") ?? []).map((rtt) => rtt * 1000);
    const rate = (direction: "send" | "receive"): number =>
      tracks.filter((track) => track.direction === direction).reduce((sum, { bitrateBps }) => sum + bitrateBps, 0);
    const sending = reports.findIndex(({ direction }) => direction === "send");
    return {
      rttMs: rttsMs.length > 0 ? Math.min(...rttsMs) : signalRttMs,
      signalRttMs,
      sendBitrateBps: rate("send"),
      receiveBitrateBps: rate("receive"),
      availableOutgoingBps: number(pairs[sending], "availableOutgoingBitrate"),
      transport: transportOf(reports, pairs),
      tracks,
    };
  }

  #tracks(report: SessionReport, seconds: number | undefined, counters: Map<string, Counters>): TrackStats[] {
    const type = report.direction === "send" ? "outbound-rtp" : "inbound-rtp";
    const byId = new Map(report.entries.map((entry) => [text(entry, "id") ?? "", entry]));
    const result: TrackStats[] = [];
    for (const entry of report.entries) {
      if (entry["type"] !== type) continue;
      // Losses of what we send are told by the other side.
      const remote = byId.get(text(entry, "remoteId") ?? "");
      const key = `${report.direction}/${text(entry, "id") ?? ""}`;
      const now: Counters = {
        bytes: number(entry, report.direction === "send" ? "bytesSent" : "bytesReceived") ?? 0,
        packets: number(entry, report.direction === "send" ? "packetsSent" : "packetsReceived") ?? 0,
        lost: number(report.direction === "send" ? remote : entry, "packetsLost") ?? 0,
      };
      const before = this.#before.get(key);
      counters.set(key, now);
      const owner = report.owner(text(entry, "mid") ?? "");
      result.push({
        direction: report.direction,
        publicationId: owner?.publicationId,
        participantId: owner?.participantId,
        kind: kindOf(entry),
        source: owner?.source,
        codec: text(byId.get(text(entry, "codecId") ?? ""), "mimeType")?.split("/")[1],
        ...ratesOf(before, now, report.direction, seconds),
        jitterMs: toMs(number(report.direction === "send" ? remote : entry, "jitter")),
        width: number(entry, "frameWidth"),
        height: number(entry, "frameHeight"),
        framesPerSecond: number(entry, "framesPerSecond"),
        framesDecoded: number(entry, "framesDecoded"),
        freezeCount: number(entry, "freezeCount"),
      });
    }
    return result;
  }
}

function ratesOf(
  before: Counters | undefined,
  now: Counters,
  direction: "send" | "receive",
  seconds: number | undefined,
): { bitrateBps: number; lossRatio: number } {
  // A counter that went back belongs to a new stream.
  const from = before !== undefined && before.bytes <= now.bytes ? before : undefined;
  if (from === undefined || seconds === undefined) return { bitrateBps: 0, lossRatio: 0 };
  const packets = now.packets - from.packets;
  const lost = Math.max(0, now.lost - from.lost);
  const expected = direction === "send" ? packets : packets + lost;
  return {
    bitrateBps: Math.round(((now.bytes - from.bytes) * 8) / seconds),
    lossRatio: expected > 0 ? Math.min(1, lost / expected) : 0,
  };
}

function kindOf(entry: StatsEntry): TrackKind {
  return (text(entry, "kind") ?? text(entry, "mediaType")) === "audio" ? "audio" : "video";
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

/** The pair media really uses; undefined: none, or the browser does not tell. */
export function selectedPair(entries: readonly StatsEntry[]): StatsEntry | undefined {
  const transport = entries.find((entry) => entry["type"] === "transport" && text(entry, "selectedCandidatePairId"));
  const selectedId = text(transport, "selectedCandidatePairId");
  const pairs = entries.filter((entry) => entry["type"] === "candidate-pair");
  if (selectedId !== undefined) return pairs.find((pair) => pair["id"] === selectedId);
  return pairs.find(
    (pair) => pair["selected"] === true || (pair["nominated"] === true && pair["state"] === "succeeded"),
  );
}

function transportOf(
  reports: readonly SessionReport[],
  pairs: readonly (StatsEntry | undefined)[],
): string | undefined {
  for (const [index, { entries }] of reports.entries()) {
    const localId = text(pairs[index], "localCandidateId");
    const protocol = text(
      entries.find((entry) => entry["id"] === localId),
      "protocol",
    );
    if (protocol !== undefined) return protocol;
  }
  return undefined;
}
