import { availableParallelism } from "node:os";
import type {
  DtlsOptions,
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
  PlaneEndpoint,
  PlaneExtension,
  PlaneIce,
  SlotCounters,
  SlotHandle,
  SlotOptions,
  TrackCounters,
  TrackHandle,
  TrackOptions,
} from "@parley/domain-media-control";
import type { NativePlane } from "@parley/native";
import { MediaKind } from "@parley/protocol";
import { addon } from "./addon.ts";
import { CounterReader } from "./counters.ts";
import { NativeDtls } from "./dtls-transport.ts";
import { decodeEvents } from "./events.ts";
import { FeedbackReader, FeedbackSinks } from "./transport-feedback.ts";

export interface NativePlaneOptions {
  /** 0: any free one. */
  readonly udpPort: number;
  /** RFC 4571 framing; 0: any free one, undefined: no TCP. */
  readonly tcpPort: number | undefined;
  /** Addresses to bind, such as `0.0.0.0` and `::`. */
  readonly bind: readonly string[];
  /** Data-plane threads, fixed for life; 0: one per core less one, at least one. */
  readonly threads: number;
  /** 16 bytes: the key of docs/specs/ice-ufrag.md. */
  readonly ufragKey: Uint8Array;
  /** `auto` tries SCHED_FIFO, then a better nice value, then goes on without. Default: auto. */
  readonly scheduling?: "auto" | "fifo" | "nice" | "normal";
  /** False: one datagram per message, as on systems without UDP_SEGMENT. Default: true. */
  readonly segmentation?: boolean;
}

/** Binds the ports and starts the threads. Throws when the addon does not fit or an address cannot be bound. */
export function startNativePlane(options: NativePlaneOptions): NativeMediaPlane {
  return new NativeMediaPlane(options);
}

/** The port over the addon. Commands only queue; they leave together at the end of the microtask that began. */
export class NativeMediaPlane implements MediaPlane {
  readonly endpoints: readonly PlaneEndpoint[];
  readonly threads: number;
  readonly #native: NativePlane;
  readonly #counters: CounterReader;
  #handler: ((events: readonly MediaPlaneEvent[]) => void) | undefined;
  #early: MediaPlaneEvent[] = [];
  #feedbackSinks = new FeedbackSinks();
  /** Of the block that the addon fills; the same for life. */
  #feedback: FeedbackReader | undefined;
  #flushPlanned = false;
  #closed = false;

  constructor(options: NativePlaneOptions) {
    this.threads = options.threads > 0 ? options.threads : Math.max(1, availableParallelism() - 1);
    this.#native = new (addon().Plane)(
      {
        bind: options.bind,
        udpPort: options.udpPort,
        tcp: options.tcpPort !== undefined,
        tcpPort: options.tcpPort ?? 0,
        threads: this.threads,
        segmentation: options.segmentation ?? true,
        scheduling: options.scheduling ?? "auto",
        ufragKey: options.ufragKey,
      },
      (batch) => this.#deliver(batch),
    );
    this.endpoints = this.#native.endpoints();
    this.#counters = new CounterReader(this.#native);
  }

  /** What each thread got: `fifo`, `nice` or `normal`. Known some milliseconds after the start. */
  scheduling(): readonly string[] {
    return this.#native.scheduling();
  }

  onEvents(handler: (events: readonly MediaPlaneEvent[]) => void): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    if (early.length > 0) handler(early);
  }

  sendFeedbackTo(peer: PeerHandle, sink: FeedbackSink | undefined): void {
    const wasEmpty = this.#feedbackSinks.isEmpty;
    this.#feedbackSinks.set(peer, sink);
    const { isEmpty } = this.#feedbackSinks;
    if (isEmpty === wasEmpty) return;
    const block = this.#native.wantFeedback(!isEmpty);
    if (block !== undefined) this.#feedback ??= new FeedbackReader(block);
  }

  takeTransportFeedback(): void {
    for (let thread = 0; thread < this.threads; thread += 1) {
      // The last one that wants it may have had enough, or closed the plane.
      if (this.#feedbackSinks.isEmpty) return;
      const bytes = this.#native.takeFeedback(thread);
      if (bytes > 0) this.#feedback?.each(bytes, this.#feedbackSinks);
    }
  }

  openPeer(options: PeerOptions): PeerHandle {
    this.#plan();
    return this.#native.openPeer(options.ice) as PeerHandle;
  }

  restartIce(peer: PeerHandle, ice: PlaneIce): void {
    this.#plan();
    this.#native.restartIce(peer, ice);
  }

  retirePreviousIce(peer: PeerHandle): void {
    this.#plan();
    this.#native.retirePreviousIce(peer);
  }

  addPath(peer: PeerHandle, address: PathAddress): void {
    this.#plan();
    this.#native.addPath(peer, address);
  }

  selectPath(peer: PeerHandle, address: PathAddress): void {
    this.#plan();
    this.#native.selectPath(peer, address);
  }

  sendTo(address: PathAddress, datagram: Uint8Array): void {
    this.#plan();
    this.#native.sendTo(address, datagram);
  }

  setSrtpKeys(peer: PeerHandle, transport: DtlsTransport): void {
    this.#plan();
    if (transport instanceof NativeDtls) this.#native.setSrtpKeys(peer, transport.native);
  }

  closePeer(peer: PeerHandle): void {
    this.#plan();
    this.sendFeedbackTo(peer, undefined);
    this.#native.closePeer(peer);
  }

  setPeerCodecs(peer: PeerHandle, codecs: readonly PlaneCodec[], extensions: readonly PlaneExtension[]): void {
    this.#plan();
    const codecNumbers = codecs.flatMap(({ payloadType, codec, clockRateHz, rtxPayloadType, ...feedback }) => {
      const { nack, pli, fir, transportCc } = feedback;
      return [payloadType, codec, clockRateHz, rtxPayloadType, bits([nack, pli, fir, transportCc])];
    });
    const extensionNumbers = extensions.flatMap(({ id, extension }) => [id, extension]);
    this.#native.setPeerCodecs(peer, Uint32Array.from(codecNumbers), Uint32Array.from(extensionNumbers));
  }

  setPacingRate(peer: PeerHandle, bitrateBps: number): void {
    this.#plan();
    this.#native.setPacingRate(peer, bitrateBps);
  }

  openTrack(peer: PeerHandle, options: TrackOptions): TrackHandle {
    this.#plan();
    return this.#native.openTrack(peer, { ...options, video: options.kind === MediaKind.VIDEO }) as TrackHandle;
  }

  setTrackPaused(track: TrackHandle, paused: boolean): void {
    this.#plan();
    this.#native.setTrackPaused(track, paused);
  }

  requestKeyFrame(track: TrackHandle): void {
    this.#plan();
    this.#native.requestKeyFrame(track);
  }

  closeTrack(track: TrackHandle): void {
    this.#plan();
    this.#native.closeTrack(track);
  }

  openSlot(peer: PeerHandle, options: SlotOptions): SlotHandle {
    this.#plan();
    return this.#native.openSlot(peer, { ...options, video: options.kind === MediaKind.VIDEO }) as SlotHandle;
  }

  bindSlot(slot: SlotHandle, track: TrackHandle | undefined, payloadTypes: readonly PayloadTypeMapping[]): void {
    this.#plan();
    const pairs = new Uint8Array(payloadTypes.length * 2);
    payloadTypes.forEach((pair, index) => {
      pairs[index * 2] = pair.from;
      pairs[index * 2 + 1] = pair.to;
    });
    this.#native.bindSlot(slot, track ?? 0, pairs);
  }

  closeSlot(slot: SlotHandle): void {
    this.#plan();
    this.#native.closeSlot(slot);
  }

  createDtls(options: DtlsOptions): DtlsTransport {
    return new NativeDtls(options);
  }

  get counters(): PlaneCounters {
    return this.#counters.plane();
  }

  peerCounters(peer: PeerHandle): PeerCounters | undefined {
    return this.#counters.peer(peer);
  }

  trackCounters(track: TrackHandle): TrackCounters | undefined {
    return this.#counters.track(track);
  }

  slotCounters(slot: SlotHandle): SlotCounters | undefined {
    return this.#counters.slot(slot);
  }

  nowMs(): number {
    return this.#native.nowMs();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#handler = undefined;
    this.#feedbackSinks = new FeedbackSinks();
    this.#early = [];
    this.#native.close();
    return Promise.resolve();
  }

  #plan(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#native.flush();
    });
  }

  #deliver(batch: Uint8Array): void {
    if (this.#closed) return;
    const events = decodeEvents(batch);
    if (events.length === 0) return;
    if (this.#handler === undefined) {
      // Nobody listens yet; a few checks are kept, as the first peers may come before the handler.
      if (this.#early.length < 1000) this.#early.push(...events);
      return;
    }
    this.#handler(events);
  }
}

/** The first is the lowest. */
function bits(flags: readonly boolean[]): number {
  return flags.reduce((sum, flag, index) => sum + (flag ? 2 ** index : 0), 0);
}
