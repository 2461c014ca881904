import type { Clock, Timer } from "@parley/foundation";
import type { SessionAnswer, SlotResult } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { wireError, type ParleyError } from "../api/error.ts";
import type { WatchChange } from "./csrc-watch.ts";
import { MediaSession, type MediaSessionDeps } from "./media-session.ts";
import type { SessionContent } from "./session-content.ts";
import { trimReceiveCodecs } from "./send-encoding.ts";
import type { OpenSessionInit, SectionInit, SessionRequests } from "./session-requests.ts";
import { Slot, type SlotView } from "./slot.ts";
import { SlotLooks } from "./slot-looks.ts";
import { grownPairs, planSlots, type BindingWish, type Demand, type SlotPair } from "./slot-plan.ts";

export interface SubscriberEvents {
  /** A demand has a slot now, whose packets may still be somebody else's. */
  assigned: readonly [key: string, slot: SlotView];
  /** What was assigned is no longer, or goes elsewhere. */
  unassigned: readonly [key: string, slot: SlotView];
  /** The packets say: this stream comes out of the slot. */
  shows: readonly [streamId: number, slot: SlotView];
  stopped: readonly [streamId: number, slot: SlotView];
  bindFailed: readonly [streamId: number, kind: "audio" | "video", error: ParleyError];
  /** A new audio slot, to be played. */
  audioSlot: readonly [slot: SlotView];
  /** Its track is gone. */
  audioSlotGone: readonly [slotId: string];
}

export interface SubscriberOptions {
  readonly initialPairs: number;
  readonly maxPairs: number;
  /** Whether packets of the streams that are received should be coming now: somebody is there who is not muted. */
  readonly expectsMedia: () => boolean;
}

/** A bind that was not answered is asked again. */
const retryBindMs = 1_000;

interface Pair {
  readonly audio: RTCRtpTransceiver;
  readonly video: RTCRtpTransceiver;
}

/** What we receive: demands in, slots bound to streams out, and the truth about who comes out of which slot. */
export class Subscriber extends TypedEmitter<SubscriberEvents> implements SessionContent {
  readonly session: MediaSession;
  /** Slots are kept also while nobody is there. */
  readonly isEmpty = false;
  readonly #clock: Clock;
  readonly #requests: SessionRequests;
  readonly #options: SubscriberOptions;
  #pairs: Pair[] = [];
  #slots = new Map<string, Slot>();
  /** Of the PeerConnection before, what it showed and the new one does not show yet. */
  #retired: Slot[] = [];
  /** Counts PeerConnections. */
  #generation = 0;
  #assigned: ReadonlyMap<number, string> = new Map();
  #demands: readonly Demand[] = [];
  #speakerMids: readonly string[] = [];
  #applying = false;
  #growing = false;
  #pairCount: number;
  readonly #looks: SlotLooks;
  #retry: Timer | undefined;

  constructor(deps: MediaSessionDeps, options: SubscriberOptions) {
    super();
    this.#clock = deps.clock;
    this.#looks = new SlotLooks(deps.clock, () => this.look());
    this.#requests = deps.requests;
    this.#options = options;
    this.#pairCount = Math.min(options.initialPairs, options.maxPairs);
    this.session = new MediaSession("sub", this, deps);
  }

  /** What is wanted from now on. Changes of one turn become one request. */
  setDemands(demands: readonly Demand[]): void {
    this.#demands = demands;
    if (this.#applying) return;
    this.#applying = true;
    queueMicrotask(() => {
      this.#applying = false;
      this.#apply();
    });
  }

  /** The server says what its slots are bound to. The packets have the last word, where the browser lets us see them. */
  slotsChanged(results: readonly SlotResult[]): void {
    for (const result of results) {
      const slot = this.#slots.get(result.mid);
      if (slot === undefined) continue;
      if (result.error !== undefined) this.#bindFailed(slot, result);
      else if (!slot.canSeeSources) this.#emitChanges(slot, slot.watch.observe(result.streamId));
    }
  }

  /** For statistics. */
  slotIdOf(mid: string): string {
    return this.#slots.get(mid)?.id ?? "";
  }

  close(): void {
    this.#looks.stop();
    this.#retry?.cancel();
    this.session.reset();
  }

  // ---- SessionContent ----

  build(pc: RTCPeerConnection): void {
    for (let pair = 0; pair < this.#pairCount; pair += 1) this.#addPair(pc);
  }

  prepareUpdate(pc: RTCPeerConnection): void {
    while (this.#pairs.length < this.#pairCount) this.#addPair(pc);
  }

  sections(): SectionInit[] {
    return this.#pairs.flatMap(({ audio, video }, pair) =>
      [audio, video].map(({ mid }): SectionInit => ({ mid: mid ?? "", use: { case: "receive", value: { pair } } })),
    );
  }

  openExtras(): Pick<OpenSessionInit, "bindings" | "speakers"> {
    this.#takeSlots();
    const bindings = this.#plan().changed;
    const mids = [...this.#speakerMids];
    return mids.length === 0 ? { bindings } : { bindings, speakers: { enabled: true, mids } };
  }

  answered(answer: SessionAnswer): void {
    this.#takeSlots();
    this.slotsChanged(answer.slots);
    this.#apply();
  }

  dropped(): void {
    for (const slot of this.#slots.values()) this.#letGo(slot);
    this.#forget();
  }

  retired(): void {
    for (const slot of this.#slots.values()) {
      if (slot.watch.shown === 0) this.#letGo(slot);
      else this.#retired.push(slot);
    }
    this.#forget();
    this.#scheduleLooks();
  }

  get isTakenOver(): boolean {
    return this.#retired.length === 0;
  }

  released(): void {
    for (const slot of this.#retired.splice(0)) this.#letGo(slot);
  }

  /** Without permission to subscribe there is nothing to receive. */
  refused(): void {}

  expectsPackets(): boolean {
    return this.#options.expectsMedia();
  }

  /** Its PeerConnection is gone, or another slot brings what it brought. */
  #letGo(slot: Slot): void {
    this.#assign(slot, undefined);
    this.#emitChanges(slot, slot.watch.expect(0));
    if (slot.kind === "audio") this.emit("audioSlotGone", slot.id);
  }

  #forget(): void {
    this.#generation += 1;
    this.#pairs = [];
    this.#slots = new Map();
    this.#assigned = new Map();
    this.#speakerMids = [];
    this.#growing = false;
    this.#looks.stop();
  }

  /** Lets go of the retired slots for which there is no more use. */
  #retire(isDone: (slot: Slot) => boolean): void {
    const done = this.#retired.filter(isDone);
    if (done.length === 0) return;
    this.#retired = this.#retired.filter((slot) => !done.includes(slot));
    for (const slot of done) this.#letGo(slot);
    if (this.isTakenOver) this.session.takenOver();
  }

  /** What is not wanted any more, or not by this name, must not stay because it is the last that was seen. */
  #retireUnwanted(): void {
    this.#retire(({ watch, kind }) => {
      const wanted = this.#demands.some((demand) => demand.streamId === watch.shown && demand[kind] !== undefined);
      return !wanted;
    });
  }

  // ---- slots ----

  #addPair(pc: RTCPeerConnection): void {
    const audio = pc.addTransceiver("audio", { direction: "recvonly" });
    const video = pc.addTransceiver("video", { direction: "recvonly" });
    trimReceiveCodecs(audio, "audio");
    trimReceiveCodecs(video, "video");
    this.#pairs.push({ audio, video });
  }

  /** Sections have their mids once the offer is set. */
  #takeSlots(): void {
    for (const { audio, video } of this.#pairs) {
      for (const [kind, transceiver] of [
        ["audio", audio],
        ["video", video],
      ] as const) {
        const { mid } = transceiver;
        if (mid === null || this.#slots.has(mid)) continue;
        this.#slots.set(mid, new Slot(`${this.#generation}/${mid}`, mid, kind, transceiver.receiver));
      }
    }
  }

  #slotPairs(): SlotPair[] {
    return this.#pairs.flatMap(({ audio, video }, pair) =>
      audio.mid === null || video.mid === null || !this.#slots.has(video.mid)
        ? []
        : [{ pair, audioMid: audio.mid, videoMid: video.mid }],
    );
  }

  /** Carries the plan over to the slots; what the server has to be asked comes back. */
  #plan(): { readonly changed: BindingWish[]; readonly speakersChanged: boolean; readonly wantedPairs: number } {
    const pairs = this.#slotPairs();
    const plan = planSlots(pairs, this.#demands, this.#assigned, this.#options.maxPairs);
    this.#assigned = plan.assigned;
    const speakers = new Set(plan.speakerMids);
    const keys = new Map(
      pairs.flatMap(({ pair, audioMid, videoMid }) => [
        [audioMid, plan.assigned.get(pair)],
        [videoMid, plan.assigned.get(pair)],
      ]),
    );
    const changed: BindingWish[] = [];
    for (const binding of plan.bindings) {
      const slot = this.#slots.get(binding.mid);
      if (slot === undefined) continue;
      if (speakers.has(slot.mid)) {
        this.#assign(slot, undefined);
        this.#emitChanges(slot, slot.watch.expectAny());
        this.#makeAudible(slot);
        slot.requested = undefined;
        continue;
      }
      this.#bindLocally(slot, binding, keys.get(slot.mid));
      if (!isSame(slot.requested, binding)) changed.push(binding);
      slot.requested = binding;
    }
    const speakersChanged = plan.speakerMids.join() !== this.#speakerMids.join();
    this.#speakerMids = plan.speakerMids;
    this.#scheduleLooks();
    return { changed, speakersChanged, wantedPairs: plan.wantedPairs };
  }

  #bindLocally(slot: Slot, binding: BindingWish, key: string | undefined): void {
    const wanted = binding.streamId === 0 ? undefined : key;
    if (slot.key !== wanted) this.#assign(slot, undefined);
    this.#emitChanges(slot, slot.watch.expect(binding.streamId));
    if (slot.key !== wanted) this.#assign(slot, wanted);
    if (binding.streamId !== 0) this.#makeAudible(slot);
  }

  #assign(slot: Slot, key: string | undefined): void {
    if (slot.key === key) return;
    if (slot.key !== undefined) {
      const view = slot.view;
      slot.key = undefined;
      this.emit("unassigned", view.key ?? "", view);
    }
    if (key === undefined) return;
    slot.key = key;
    this.emit("assigned", key, slot.view);
    // It may come out already, when a stream returns to its slot.
    const { shown } = slot.watch;
    if (shown !== 0) this.emit("shows", shown, slot.view);
  }

  #makeAudible(slot: Slot): void {
    if (slot.kind !== "audio" || slot.isAudible) return;
    slot.isAudible = true;
    this.emit("audioSlot", slot.view);
  }

  #apply(): void {
    this.#retireUnwanted();
    if (!this.session.isOpen) return;
    const { changed, speakersChanged, wantedPairs } = this.#plan();
    if (changed.length > 0 || speakersChanged) this.#bind(changed);
    if (wantedPairs > this.#pairCount && !this.#growing) {
      this.#growing = true;
      this.#pairCount = grownPairs(this.#pairCount, wantedPairs, this.#options.maxPairs);
      this.session
        .negotiate()
        .catch(() => this.#applyLater())
        .finally(() => {
          this.#growing = false;
        });
    }
  }

  #bind(bindings: readonly BindingWish[]): void {
    const speakers = { enabled: this.#speakerMids.length > 0, mids: [...this.#speakerMids] };
    const generation = this.#generation;
    this.#requests.bind({ session: "sub", bindings: [...bindings], speakers }).then(
      (results) => {
        // Slots of another PeerConnection have the same mids.
        if (generation === this.#generation) this.slotsChanged(results);
      },
      () => {
        if (generation !== this.#generation) return;
        for (const { mid } of bindings) {
          const slot = this.#slots.get(mid);
          if (slot !== undefined) slot.requested = undefined;
        }
        this.#applyLater();
      },
    );
  }

  #applyLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#clock.after(retryBindMs, () => this.#apply());
  }

  #bindFailed(slot: Slot, { streamId, error }: SlotResult): void {
    const wanted = streamId === 0 ? slot.watch.expected : streamId;
    if (error !== undefined && wanted !== 0) this.emit("bindFailed", wanted, slot.kind, wireError(error));
  }

  // ---- who comes out ----

  #emitChanges(slot: Slot, changes: readonly WatchChange[]): void {
    for (const { type, streamId } of changes) {
      this.emit(type, streamId, slot.view);
      if (type !== "shows" || this.#retired.includes(slot)) continue;
      // It comes out here now: the PeerConnection before may stop.
      this.#retire((old) => old.kind === slot.kind && old.watch.shown === streamId);
    }
  }

  #scheduleLooks(): void {
    this.#looks.schedule([...this.#slots.values(), ...this.#retired]);
  }

  /** Looks at the packets now; also called for each new picture that is drawn. */
  look(): void {
    for (const slot of [...this.#slots.values(), ...this.#retired]) {
      if (!slot.watch.isIdle && slot.canSeeSources) this.#emitChanges(slot, slot.watch.observe(slot.source));
    }
    this.#scheduleLooks();
  }
}

function isSame(a: BindingWish | undefined, b: BindingWish): boolean {
  return a !== undefined && a.streamId === b.streamId && a.trackMid === b.trackMid;
}
