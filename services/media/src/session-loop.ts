import type {
  BindingTable,
  DtlsCertificate,
  DtlsResult,
  MediaPlane,
  MediaPlaneEvent,
  PathAddress,
  PeerHandle,
  PublisherChange,
  SessionInput,
  SessionOutput,
  SlotHandle,
  SrtpProfile,
  TrackHandle,
  TrackRef,
} from "@parley/domain-media-control";
import type { Clock, Logger } from "@parley/foundation";
import { MediaKind } from "@parley/protocol";
import type { LevelWatch } from "./level-watch.ts";
import type { FeedbackFollower, SessionHost } from "./session-host.ts";
import { SessionReader } from "./session-reader.ts";

export interface SessionLoopDeps {
  readonly plane: MediaPlane;
  readonly clock: Clock;
  readonly bindings: BindingTable;
  readonly certificate: DtlsCertificate;
  readonly srtpProfiles: readonly SrtpProfile[];
  readonly levels: LevelWatch;
  readonly publishStatus: (host: SessionHost) => void;
  readonly followFeedback?: (sessionId: string) => FeedbackFollower;
  readonly logger: Logger;
}

/** A status that says something new is said in so many more turns of its session, a second apart. */
export const REPEATS = 2;
/** Afterwards this often, as the announcement of a living session. */
const REFRESH_MS = 5_000;
/** The same for one that is calm ({@link SessionMachine.isCalm}); and how often its counters are read: others' are in each turn, a second apart. */
const CALM_REFRESH_MS = 30_000;
const CALM_SAMPLE_MS = 5_000;
/** Turns come a little early or late. */
const TURN_SLACK_MS = 200;

interface Work {
  readonly host: SessionHost;
  readonly input: SessionInput;
}

/**
 * Carries inputs to session machines and their outputs to the data plane. What outputs cause in other sessions (a track that comes, a slot
 * that wants one) is queued and done before {@link SessionLoop.handle} returns, so machines are never entered twice. Statuses are
 * collected until {@link SessionLoop.flush}, those that can wait until {@link SessionLoop.flushSoon}: one per session, however much happened.
 */
export class SessionLoop {
  readonly #deps: SessionLoopDeps;
  readonly #byPeer = new Map<PeerHandle, SessionHost>();
  readonly #byTrack = new Map<
    TrackHandle,
    { readonly host: SessionHost; readonly mid: string; readonly streamId: number }
  >();
  readonly #bySlot = new Map<SlotHandle, { readonly host: SessionHost; readonly mid: string }>();
  readonly #bySession = new Map<string, SessionHost>();
  readonly #handshaking = new Set<SessionHost>();
  readonly #dirty = new Set<SessionHost>();
  /** Whose status can wait. */
  readonly #soon = new Set<SessionHost>();
  readonly #queue: Work[] = [];
  readonly #reader: SessionReader;
  #running = false;

  constructor(deps: SessionLoopDeps) {
    this.#deps = deps;
    this.#reader = new SessionReader(deps.plane);
  }

  handle(host: SessionHost, input: SessionInput): void {
    if (input.type === "grant") this.#bySession.set(host.sessionId, host);
    // What happens to it may end its calm.
    if (input.type !== "sample") host.sampleFromMs = 0;
    this.#queue.push({ host, input });
    if (this.#running) return;
    this.#running = true;
    try {
      for (let work = this.#queue.shift(); work !== undefined; work = this.#queue.shift()) {
        const outputs = work.host.machine.handle(work.input, this.#deps.clock.monoMs());
        for (const output of outputs) this.#execute(work.host, output);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Its status is due, though nothing changed. */
  touch(host: SessionHost): void {
    this.#dirty.add(host);
  }

  forget(host: SessionHost): void {
    this.#bySession.delete(host.sessionId);
    this.#soon.delete(host);
    // The last status goes out with the next flush all the same.
  }

  flush(): void {
    if (this.#dirty.size === 0) return;
    const nowMs = this.#deps.clock.monoMs();
    for (const host of this.#dirty) {
      host.toldAtMs = nowMs;
      this.#deps.publishStatus(host);
      this.#soon.delete(host);
    }
    this.#dirty.clear();
  }

  /** Publishes what waits, too. To be called some times a second. */
  flushSoon(): void {
    for (const host of this.#soon) this.#dirty.add(host);
    this.flush();
  }

  takeEvent(event: Exclude<MediaPlaneEvent, { type: "stun" }>): void {
    switch (event.type) {
      case "nominated":
      case "path-closed": {
        const host = this.#byPeer.get(event.peer);
        if (host !== undefined) this.handle(host, { type: event.type, address: event.address });
        break;
      }
      case "dtls": {
        const host = this.#byPeer.get(event.peer);
        if (host !== undefined) this.handle(host, { type: "dtls", address: event.address, datagram: event.datagram });
        break;
      }
      case "slot-started": {
        const slot = this.#bySlot.get(event.slot);
        const track = this.#byTrack.get(event.track);
        if (slot === undefined || track === undefined) break;
        this.handle(slot.host, { type: "slot-started", slotMid: slot.mid, streamId: track.streamId });
        break;
      }
      case "track-ended": {
        const track = this.#byTrack.get(event.track);
        if (track !== undefined) this.handle(track.host, { type: "track-ended", mid: track.mid });
        break;
      }
      case "ssrc":
        break;
    }
  }

  /** Retransmits handshake flights that are due. */
  runTimers(): void {
    const nowMs = this.#deps.clock.monoMs();
    for (const host of this.#handshaking) {
      if (host.dtls === undefined || host.dtlsDueMs === undefined || nowMs < host.dtlsDueMs) continue;
      this.#takeDtlsResult(host, host.dtls.timeout());
    }
  }

  /**
   * The turn of these sessions: counters in, but for those that are calm and were read lately; a status out if it is due. What has changed is said at once and in the next two turns, as the bus may
   * lose it; what stays the same, now and then.
   */
  sample(hosts: Iterable<SessionHost>): void {
    const nowMs = this.#deps.clock.monoMs();
    this.#reader.setTime();
    for (const host of hosts) {
      if (nowMs < host.sampleFromMs && host.repeatsLeft === 0) continue;
      const { machine } = host;
      if (!machine.ended) this.handle(host, { type: "sample", sample: this.#reader.of(host) });
      const isCalm = machine.isCalm;
      host.sampleFromMs = isCalm ? nowMs + CALM_SAMPLE_MS - TURN_SLACK_MS : 0;
      if (this.#dirty.has(host)) continue;
      const isRepeated = host.repeatsLeft > 0;
      if (isRepeated) host.repeatsLeft -= 1;
      const refreshMs = isCalm ? CALM_REFRESH_MS : REFRESH_MS;
      if (isRepeated || machine.hasNews || nowMs - host.toldAtMs >= refreshMs - TURN_SLACK_MS) this.#dirty.add(host);
    }
  }

  #execute(host: SessionHost, output: SessionOutput): void {
    switch (output.type) {
      case "open-peer":
        host.peer = this.#deps.plane.openPeer({ ice: output.ice });
        this.#byPeer.set(host.peer, host);
        host.feedback = this.#deps.followFeedback?.(host.sessionId);
        if (host.feedback !== undefined) this.#deps.plane.sendFeedbackTo(host.peer, host.feedback);
        break;
      case "close-peer":
        this.#closePeer(host);
        break;
      case "status":
        this.#dirty.add(host);
        host.repeatsLeft = REPEATS;
        break;
      case "status-soon":
        this.#soon.add(host);
        break;
      case "send":
        this.#deps.plane.sendTo(output.address, output.datagram);
        break;
      case "want-publisher":
        this.#tellSlots(this.#deps.bindings.want({ sessionId: host.sessionId, mid: output.slotMid }, output.track));
        break;
      case "track-changed":
        this.#tellSlots(
          this.#deps.bindings.trackChanged({ sessionId: host.sessionId, mid: output.mid }, output.codecs),
        );
        break;
      case "request-key-frame": {
        const track = this.#trackOf(output.track);
        if (track !== undefined) this.#deps.plane.requestKeyFrame(track);
        break;
      }
      case "open-dtls":
        host.dtls = this.#deps.plane.createDtls({
          certificate: this.#deps.certificate,
          srtpProfiles: this.#deps.srtpProfiles,
          ...output.options,
        });
        this.#handshaking.add(host);
        break;
      case "dtls-receive":
        host.dtlsPath = output.address;
        if (host.dtls !== undefined) this.#takeDtlsResult(host, host.dtls.receive(output.datagram));
        break;
      default:
        if (host.peer !== undefined) this.#executeOnPeer(host, host.peer, output);
    }
  }

  #executeOnPeer(host: SessionHost, peer: PeerHandle, output: PeerOutput): void {
    const { plane } = this.#deps;
    switch (output.type) {
      case "add-path":
        plane.addPath(peer, output.address);
        break;
      case "select-path":
        plane.selectPath(peer, output.address);
        break;
      case "restart-ice":
        plane.restartIce(peer, output.ice);
        break;
      case "retire-previous-ice":
        plane.retirePreviousIce(peer);
        break;
      case "set-codecs":
        plane.setPeerCodecs(peer, output.codecs, output.extensions);
        break;
      case "set-srtp-keys":
        if (host.dtls !== undefined) plane.setSrtpKeys(peer, host.dtls);
        break;
      case "open-track": {
        const { mid, kind, streamId } = output.options;
        const track = plane.openTrack(peer, output.options);
        host.tracks.set(mid, track);
        this.#byTrack.set(track, { host, mid, streamId });
        if (kind === MediaKind.AUDIO) this.#deps.levels.opened(track, host, mid);
        break;
      }
      case "pause-track": {
        const track = host.tracks.get(output.mid);
        if (track !== undefined) plane.setTrackPaused(track, output.paused);
        break;
      }
      case "close-track":
        this.#closeTrack(host, output.mid);
        break;
      case "open-slot": {
        const slot = plane.openSlot(peer, output.options);
        host.slots.set(output.options.mid, slot);
        this.#bySlot.set(slot, { host, mid: output.options.mid });
        break;
      }
      case "bind-slot": {
        const slot = host.slots.get(output.mid);
        const track = output.track && this.#trackOf(output.track);
        if (slot !== undefined) plane.bindSlot(slot, track, output.payloadTypes);
        break;
      }
      case "close-slot":
        this.#closeSlot(host, output.mid);
        break;
    }
  }

  #trackOf(ref: TrackRef): TrackHandle | undefined {
    return this.#bySession.get(ref.sessionId)?.tracks.get(ref.mid);
  }

  #tellSlots(changes: readonly PublisherChange[]): void {
    for (const { slot, track } of changes) {
      const host = this.#bySession.get(slot.sessionId);
      if (host !== undefined) this.#queue.push({ host, input: { type: "publisher", slotMid: slot.mid, track } });
    }
  }

  #closeTrack(host: SessionHost, mid: string): void {
    const track = host.tracks.get(mid);
    if (track === undefined) return;
    this.#deps.plane.closeTrack(track);
    host.tracks.delete(mid);
    this.#forgetTrack(track);
  }

  #forgetTrack(track: TrackHandle): void {
    this.#byTrack.delete(track);
    this.#deps.levels.closed(track);
  }

  #closeSlot(host: SessionHost, mid: string): void {
    const slot = host.slots.get(mid);
    if (slot === undefined) return;
    this.#deps.plane.closeSlot(slot);
    host.slots.delete(mid);
    this.#bySlot.delete(slot);
  }

  /** The handshake first, so that its good-bye leaves before the paths go. */
  #closePeer(host: SessionHost): void {
    if (host.dtls !== undefined) {
      for (const datagram of host.dtls.close().datagrams) {
        if (host.dtlsPath !== undefined) this.#deps.plane.sendTo(host.dtlsPath, datagram);
      }
      host.dtls = undefined;
    }
    this.#handshaking.delete(host);
    if (host.peer === undefined) return;
    this.#deps.plane.closePeer(host.peer);
    this.#byPeer.delete(host.peer);
    host.peer = undefined;
    host.feedback?.close();
    host.feedback = undefined;
    for (const track of host.tracks.values()) this.#forgetTrack(track);
    for (const slot of host.slots.values()) this.#bySlot.delete(slot);
    host.tracks.clear();
    host.slots.clear();
  }

  #takeDtlsResult(host: SessionHost, result: DtlsResult): void {
    const path = host.dtlsPath ?? host.machine.selectedPath;
    if (path !== undefined) this.#sendAll(path, result.datagrams);
    host.dtlsDueMs = result.timeoutMs === undefined ? undefined : this.#deps.clock.monoMs() + result.timeoutMs;
    if (result.state === "handshaking") return;
    this.#handshaking.delete(host);
    if (result.state === "failed") {
      this.#deps.logger.debug("handshake failed", { sessionId: host.sessionId, error: result.error });
    }
    const fingerprintMismatch = result.error === "fingerprint-mismatch";
    this.#queue.push({ host, input: { type: "dtls-state", state: result.state, fingerprintMismatch } });
    // A timer's result comes from outside of any `handle`.
    if (!this.#running) this.#drainQueue();
  }

  #drainQueue(): void {
    const work = this.#queue.shift();
    if (work !== undefined) this.handle(work.host, work.input);
  }

  #sendAll(path: PathAddress, datagrams: readonly Uint8Array[]): void {
    for (const datagram of datagrams) this.#deps.plane.sendTo(path, datagram);
  }
}

type PeerOutput = Exclude<
  SessionOutput,
  {
    type:
      | "open-peer"
      | "close-peer"
      | "status"
      | "status-soon"
      | "send"
      | "want-publisher"
      | "track-changed"
      | "request-key-frame"
      | "open-dtls"
      | "dtls-receive";
  }
>;
