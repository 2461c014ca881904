import type {
  DtlsCertificate,
  DtlsOptions,
  DtlsResult,
  DtlsTransport,
  FeedbackSink,
  MediaPlane,
  MediaPlaneEvent,
  PathAddress,
  PayloadTypeMapping,
  PeerCounters,
  PeerHandle,
  PeerOptions,
  PlaneCodec,
  PlaneCounters,
  PlaneExtension,
  PlaneIce,
  SlotCounters,
  SlotHandle,
  SlotOptions,
  TrackCounters,
  TrackHandle,
  TrackOptions,
} from "@parley/domain-media-control";
import { feedbackOf, type KeptFeedback } from "./kept-feedback.ts";
import type { Clock } from "@parley/foundation";

export interface FakePeer {
  readonly handle: PeerHandle;
  ice: PlaneIce;
  previousIce: PlaneIce | undefined;
  readonly paths: PathAddress[];
  selected: PathAddress | undefined;
  codecs: readonly PlaneCodec[];
  extensions: readonly PlaneExtension[];
  keyed: boolean;
  /** 0: unlimited. */
  pacingRateBps: number;
  counters: PeerCounters;
}

export interface FakeTrack {
  readonly handle: TrackHandle;
  readonly peer: PeerHandle;
  readonly options: TrackOptions;
  paused: boolean;
  keyFrameRequests: number;
  counters: TrackCounters;
}

export interface FakeSlot {
  readonly handle: SlotHandle;
  readonly peer: PeerHandle;
  readonly options: SlotOptions;
  track: TrackHandle | undefined;
  payloadTypes: readonly PayloadTypeMapping[];
  /** How often it was bound: repeated grants must not bind anew. */
  binds: number;
  counters: SlotCounters;
}

/**
 * A data plane without packets: it keeps what it was told, as the real one would (closing cascades, stale handles are counted), and
 * tests play the network and the clients.
 */
export class FakeMediaPlane implements MediaPlane {
  readonly endpoints = [{ protocol: "udp", family: "IPv4", ip: "127.0.0.1", port: 4000 } as const];
  readonly threads = 1;
  readonly peers = new Map<PeerHandle, FakePeer>();
  readonly tracks = new Map<TrackHandle, FakeTrack>();
  readonly slots = new Map<SlotHandle, FakeSlot>();
  readonly sent: { readonly address: PathAddress; readonly datagram: Uint8Array }[] = [];
  readonly handshakes: FakeDtls[] = [];
  /** Every command, by name: to see that nothing is done twice. */
  readonly commands: string[] = [];
  staleCommands = 0;
  closed = false;
  readonly #clock: Clock;
  #handler: ((events: readonly MediaPlaneEvent[]) => void) | undefined;
  readonly #feedbackSinks = new Map<PeerHandle, FeedbackSink>();
  #feedback: KeptFeedback[] = [];
  #lastHandle = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Plays an event (or a batch) of the data plane. */
  emit(...events: readonly MediaPlaneEvent[]): void {
    this.#handler?.(events);
  }

  /** Plays a subscriber's report. */
  report(feedback: KeptFeedback): void {
    const { peer, packets, bytes, lost, feedbackDelayUs } = feedback;
    const known = this.peers.get(peer);
    if (known === undefined) return;
    known.counters = {
      ...known.counters,
      deliveredPackets: known.counters.deliveredPackets + packets,
      deliveredBytes: known.counters.deliveredBytes + bytes,
      undeliveredPackets: known.counters.undeliveredPackets + lost,
      feedbackDelayUs,
    };
    if (this.feedbackIsWanted) this.#feedback.push(feedback);
  }

  get feedbackIsWanted(): boolean {
    return this.#feedbackSinks.size > 0;
  }

  sendFeedbackTo(peer: PeerHandle, sink: FeedbackSink | undefined): void {
    if (sink === undefined) this.#feedbackSinks.delete(peer);
    else this.#feedbackSinks.set(peer, sink);
    if (!this.feedbackIsWanted) this.#feedback = [];
  }

  takeTransportFeedback(): void {
    for (const feedback of this.#feedback.splice(0)) this.#feedbackSinks.get(feedback.peer)?.take(feedbackOf(feedback));
  }

  onEvents(handler: (events: readonly MediaPlaneEvent[]) => void): void {
    this.#handler = handler;
  }

  openPeer({ ice }: PeerOptions): PeerHandle {
    const handle = this.#newHandle("openPeer") as PeerHandle;
    this.peers.set(handle, {
      handle,
      ice,
      previousIce: undefined,
      paths: [],
      selected: undefined,
      codecs: [],
      extensions: [],
      keyed: false,
      pacingRateBps: 0,
      counters: noPeerCounters,
    });
    return handle;
  }

  restartIce(peer: PeerHandle, ice: PlaneIce): void {
    this.#withPeer("restartIce", peer, (each) => {
      each.previousIce = each.ice;
      each.ice = ice;
    });
  }

  retirePreviousIce(peer: PeerHandle): void {
    this.#withPeer("retirePreviousIce", peer, (each) => {
      each.previousIce = undefined;
    });
  }

  addPath(peer: PeerHandle, address: PathAddress): void {
    this.#withPeer("addPath", peer, (each) => {
      each.paths.push(address);
    });
  }

  selectPath(peer: PeerHandle, address: PathAddress): void {
    this.#withPeer("selectPath", peer, (each) => {
      each.selected = address;
    });
  }

  sendTo(address: PathAddress, datagram: Uint8Array): void {
    this.sent.push({ address, datagram });
  }

  setSrtpKeys(peer: PeerHandle): void {
    this.#withPeer("setSrtpKeys", peer, (each) => {
      each.keyed = true;
    });
  }

  closePeer(peer: PeerHandle): void {
    this.#withPeer("closePeer", peer, () => {
      this.sendFeedbackTo(peer, undefined);
      for (const track of this.tracks.values()) if (track.peer === peer) this.#dropTrack(track.handle);
      for (const slot of this.slots.values()) if (slot.peer === peer) this.slots.delete(slot.handle);
      this.peers.delete(peer);
    });
  }

  setPeerCodecs(peer: PeerHandle, codecs: readonly PlaneCodec[], extensions: readonly PlaneExtension[]): void {
    this.#withPeer("setPeerCodecs", peer, (each) => {
      each.codecs = codecs;
      each.extensions = extensions;
    });
  }

  setPacingRate(peer: PeerHandle, bitrateBps: number): void {
    this.#withPeer("setPacingRate", peer, (each) => {
      each.pacingRateBps = bitrateBps;
    });
  }

  openTrack(peer: PeerHandle, options: TrackOptions): TrackHandle {
    const handle = this.#newHandle("openTrack") as TrackHandle;
    if (!this.peers.has(peer)) this.staleCommands += 1;
    else {
      this.tracks.set(handle, { handle, peer, options, paused: false, keyFrameRequests: 0, counters: noTrackCounters });
    }
    return handle;
  }

  setTrackPaused(track: TrackHandle, paused: boolean): void {
    this.#withTrack("setTrackPaused", track, (each) => {
      each.paused = paused;
    });
  }

  requestKeyFrame(track: TrackHandle): void {
    this.#withTrack("requestKeyFrame", track, (each) => {
      each.keyFrameRequests += 1;
    });
  }

  closeTrack(track: TrackHandle): void {
    this.#withTrack("closeTrack", track, () => this.#dropTrack(track));
  }

  openSlot(peer: PeerHandle, options: SlotOptions): SlotHandle {
    const handle = this.#newHandle("openSlot") as SlotHandle;
    if (!this.peers.has(peer)) this.staleCommands += 1;
    else {
      this.slots.set(handle, {
        handle,
        peer,
        options,
        track: undefined,
        payloadTypes: [],
        binds: 0,
        counters: noSlotCounters,
      });
    }
    return handle;
  }

  bindSlot(slot: SlotHandle, track: TrackHandle | undefined, payloadTypes: readonly PayloadTypeMapping[]): void {
    this.#withSlot("bindSlot", slot, (each) => {
      each.track = track;
      each.payloadTypes = payloadTypes;
      each.binds += 1;
    });
  }

  closeSlot(slot: SlotHandle): void {
    this.#withSlot("closeSlot", slot, () => {
      this.slots.delete(slot);
    });
  }

  createDtls(options: DtlsOptions): DtlsTransport {
    const handshake = new FakeDtls(options);
    this.handshakes.push(handshake);
    return handshake;
  }

  get counters(): PlaneCounters {
    return { ...noPlaneCounters, staleCommands: this.staleCommands };
  }

  peerCounters(peer: PeerHandle): PeerCounters | undefined {
    return this.peers.get(peer)?.counters;
  }

  trackCounters(track: TrackHandle): TrackCounters | undefined {
    return this.tracks.get(track)?.counters;
  }

  slotCounters(slot: SlotHandle): SlotCounters | undefined {
    return this.slots.get(slot)?.counters;
  }

  /** An origin of its own, as the real plane's clock may have. */
  nowMs(): number {
    return this.#clock.monoMs() + 1_000_000;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #newHandle(command: string): number {
    this.commands.push(command);
    this.#lastHandle += 1;
    return this.#lastHandle;
  }

  #withPeer(command: string, handle: PeerHandle, act: (peer: FakePeer) => void): void {
    this.#with(command, this.peers.get(handle), act);
  }

  #withTrack(command: string, handle: TrackHandle, act: (track: FakeTrack) => void): void {
    this.#with(command, this.tracks.get(handle), act);
  }

  #withSlot(command: string, handle: SlotHandle, act: (slot: FakeSlot) => void): void {
    this.#with(command, this.slots.get(handle), act);
  }

  #with<T>(command: string, target: T | undefined, act: (target: T) => void): void {
    this.commands.push(command);
    if (target === undefined) this.staleCommands += 1;
    else act(target);
  }

  #dropTrack(handle: TrackHandle): void {
    this.tracks.delete(handle);
    for (const slot of this.slots.values()) if (slot.track === handle) slot.track = undefined;
  }
}

/**
 * A handshake played by the test: it answers what it receives from a script. Text stands for flights: `hello` is answered with `server-hello`
 * and a timer, `finished` connects, `alert` closes, `garbage` fails.
 */
export class FakeDtls implements DtlsTransport {
  readonly options: DtlsOptions;
  readonly received: string[] = [];
  timeouts = 0;
  closed = false;
  #state: DtlsResult["state"] = "handshaking";

  constructor(options: DtlsOptions) {
    this.options = options;
  }

  receive(datagram: Uint8Array): DtlsResult {
    const text = new TextDecoder().decode(datagram);
    this.received.push(text);
    if (this.#state === "handshaking") {
      if (text === "finished") this.#state = "connected";
      else if (text === "garbage") this.#state = "failed";
      else if (text === "") return this.#result(["client-hello"], 1000);
      else return this.#result(["server-hello"], 1000);
      return this.#result(this.#state === "connected" ? ["finished"] : [], undefined);
    }
    if (text === "alert") this.#state = "closed";
    return this.#result([], undefined);
  }

  timeout(): DtlsResult {
    this.timeouts += 1;
    return this.#result(["server-hello"], 1000 * 2 ** this.timeouts);
  }

  close(): DtlsResult {
    const wasConnected = this.#state === "connected";
    this.closed = true;
    this.#state = "closed";
    return this.#result(wasConnected ? ["close-notify"] : [], undefined);
  }

  #result(flights: readonly string[], timeoutMs: number | undefined): DtlsResult {
    const datagrams = flights.map((flight) => new TextEncoder().encode(flight));
    const result: DtlsResult = { state: this.#state, datagrams, timeoutMs };
    return this.#state === "failed" ? { ...result, error: "protocol" } : result;
  }
}

/** For nodes on a {@link FakeMediaPlane}. */
export const fakeCertificate: DtlsCertificate = { fingerprint: new Uint8Array(32).fill(0xab) };

export const noPlaneCounters: PlaneCounters = {
  rxDatagrams: 0,
  rxBytes: 0,
  txDatagrams: 0,
  txBytes: 0,
  sendCalls: 0,
  sendMessages: 0,
  sendErrors: 0,
  strangers: 0,
  forgedUfrags: 0,
  malformed: 0,
  eventsDropped: 0,
  feedbackDropped: 0,
  staleCommands: 0,
  replayed: 0,
  unauthenticated: 0,
};

export const noPeerCounters: PeerCounters = {
  rxBytes: 0,
  txBytes: 0,
  rxPackets: 0,
  txPackets: 0,
  lastConsentMonoMs: 0,
  srtpAuthFailures: 0,
  srtpReplays: 0,
  rttUs: 0,
  twccReportsSent: 0,
  twccReportsReceived: 0,
  deliveredPackets: 0,
  deliveredBytes: 0,
  undeliveredPackets: 0,
  feedbackDelayUs: 0,
  pacedBytes: 0,
  pacingDelayUs: 0,
  pacedPackets: 0,
  pacingDrops: 0,
};

export const noTrackCounters: TrackCounters = {
  packets: 0,
  bytes: 0,
  lost: 0,
  nacksSent: 0,
  rtxReceived: 0,
  keyFrames: 0,
  keyFrameRequestsSent: 0,
  jitterRtpTicks: 0,
  payloadType: 0,
  lastPacketMonoMs: 0,
  audioLevel: 0,
};

export const noSlotCounters: SlotCounters = {
  packets: 0,
  bytes: 0,
  nacksReceived: 0,
  rtxSent: 0,
  keyFrameRequestsReceived: 0,
  lossRatio: 0,
  streamId: 0,
};
