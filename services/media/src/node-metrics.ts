import type { MediaPlane, PlaneCounters } from "@parley/domain-media-control";
import type { Counter, Metrics } from "@parley/foundation";
import { SessionState } from "@parley/protocol";
import type { SessionHost } from "./session-host.ts";

const STATES: readonly (readonly [SessionState, string])[] = [
  [SessionState.NEW, "new"],
  [SessionState.CONNECTING, "connecting"],
  [SessionState.CONNECTED, "connected"],
  [SessionState.FAILED, "failed"],
  [SessionState.CLOSED, "closed"],
];

const PLANE_HELP: Readonly<Record<keyof PlaneCounters, readonly [string, string]>> = {
  rxDatagrams: ["parley_media_rx_datagrams_total", "Datagrams received."],
  rxBytes: ["parley_media_rx_bytes_total", "Bytes received."],
  txDatagrams: ["parley_media_tx_datagrams_total", "Datagrams sent."],
  txBytes: ["parley_media_tx_bytes_total", "Bytes sent."],
  sendCalls: ["parley_media_send_calls_total", "System calls that sent."],
  sendMessages: [
    "parley_media_send_messages_total",
    "Messages in them; with UDP_SEGMENT one carries several datagrams.",
  ],
  sendErrors: ["parley_media_send_errors_total", "Messages the kernel did not take."],
  strangers: ["parley_media_strangers_total", "Datagrams from no known path that were no genuine check."],
  forgedUfrags: ["parley_media_forged_ufrags_total", "Checks whose ufrag had a wrong MAC."],
  malformed: ["parley_media_malformed_total", "Datagrams that could not be read."],
  replayed: [
    "parley_media_replayed_total",
    "SRTP and SRTCP packets said again, and checks said again from another address.",
  ],
  unauthenticated: ["parley_media_unauthenticated_total", "SRTP, SRTCP and checks of known paths with a wrong MAC."],
  eventsDropped: ["parley_media_events_dropped_total", "Events the control part was too slow for."],
  feedbackDropped: [
    "parley_media_feedback_dropped_total",
    "Transport-wide feedback the control part was too slow for.",
  ],
  staleCommands: ["parley_media_stale_commands_total", "Commands for what was closed already."],
};

/** What a media node measures. Values that live in shared memory or in machines are read when somebody asks. */
export class NodeMetrics {
  readonly unknownUfrags: Counter;
  readonly #grants: Counter;

  constructor(metrics: Metrics, plane: MediaPlane, hosts: () => Iterable<SessionHost>) {
    this.unknownUfrags = metrics.counter({
      name: "parley_media_unknown_ufrags_total",
      help: "Checks with a genuine ufrag of no session here.",
    });
    this.#grants = metrics.counter({
      name: "parley_media_grants_total",
      help: "Session grants received, by what became of them.",
      labels: ["verdict"],
    });
    const sessions = metrics.gauge({ name: "parley_media_sessions", help: "Sessions by state.", labels: ["state"] });
    const tracks = metrics.gauge({ name: "parley_media_tracks", help: "Tracks that clients may publish." });
    const slots = metrics.gauge({ name: "parley_media_slots", help: "Slots that clients may be sent." });
    const counters = (Object.keys(PLANE_HELP) as (keyof PlaneCounters)[]).map((key) => {
      const [name, help] = PLANE_HELP[key];
      return { key, counter: metrics.counter({ name, help }), last: 0 };
    });
    metrics.onCollect(() => {
      const now = plane.counters;
      for (const each of counters) {
        const total = now[each.key];
        each.counter.add(Math.max(0, total - each.last));
        each.last = total;
      }
      const byState = new Map<SessionState, number>();
      let trackCount = 0;
      let slotCount = 0;
      for (const host of hosts()) {
        byState.set(host.machine.state, (byState.get(host.machine.state) ?? 0) + 1);
        trackCount += host.tracks.size;
        slotCount += host.slots.size;
      }
      for (const [state, label] of STATES) sessions.set(byState.get(state) ?? 0, [label]);
      tracks.set(trackCount);
      slots.set(slotCount);
    });
  }

  countGrant(verdict: string): void {
    this.#grants.add(1, [verdict]);
  }
}
