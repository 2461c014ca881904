import { TypedEmitter } from "../api/emitter.ts";
import type { ParleyError } from "../api/error.ts";
import type { AudioOutput } from "../media/audio-output.ts";
import type { SlotView, Subscriber } from "../media/subscriber.ts";
import { DemandTable } from "./demand-table.ts";
import type { RemotePublication } from "./remote-publication.ts";

export interface ReceiverEvents {
  subscribed: readonly [publication: RemotePublication, track: MediaStreamTrack];
  unsubscribed: readonly [publication: RemotePublication];
  failed: readonly [publication: RemotePublication, error: ParleyError];
}

/** Joins what publications want with what slots bring: pictures to tiles, sound to the players. */
export class Receiver extends TypedEmitter<ReceiverEvents> {
  readonly #subscriber: Subscriber;
  readonly #output: AudioOutput;
  readonly #table = new DemandTable();
  /** What a slot was last said to carry. */
  readonly #bySlot = new Map<string, RemotePublication>();
  /** What certainly comes out of a slot. */
  readonly #shown = new Map<string, RemotePublication>();

  constructor(subscriber: Subscriber, output: AudioOutput) {
    super();
    this.#subscriber = subscriber;
    this.#output = output;
    subscriber.on("assigned", (key, slot) => this.#onAssigned(key, slot));
    subscriber.on("unassigned", (_key, slot) => this.#onUnassigned(slot));
    subscriber.on("shows", (streamId, slot) => this.#onShows(streamId, slot));
    subscriber.on("stopped", (_streamId, slot) => this.#onStopped(slot));
    subscriber.on("bindFailed", (streamId, kind, error) => this.#onFailed(streamId, kind, error));
    subscriber.on("audioSlot", ({ mid, track }) => output.add(mid, track));
    subscriber.on("audioSlotGone", (mid) => output.remove(mid));
  }

  /** Something about the publications, or about what is wanted of them, has changed. */
  update(publications: Iterable<RemotePublication>, rankOf: (publication: RemotePublication) => number): void {
    this.#subscriber.setDemands(this.#table.build(publications, rankOf));
  }

  /** Its volume, or whether it is wanted, has changed. */
  volumeChanged(publication: RemotePublication): void {
    for (const [mid, shown] of this.#shown) if (shown === publication) this.#setVolume(mid, publication);
  }

  publicationAt(mid: string): RemotePublication | undefined {
    return this.#shown.get(mid);
  }

  #onAssigned(key: string, slot: SlotView): void {
    const publication = this.#table.get(key)?.[slot.kind];
    if (publication === undefined) return;
    this.#bySlot.set(slot.mid, publication);
    publication.setSlotTrack(slot.track);
  }

  #onUnassigned(slot: SlotView): void {
    const publication = this.#bySlot.get(slot.mid);
    this.#bySlot.delete(slot.mid);
    this.#onStopped(slot);
    publication?.setSlotTrack(undefined);
  }

  #onShows(streamId: number, slot: SlotView): void {
    const entry = slot.key === undefined ? undefined : this.#table.get(slot.key);
    const publication =
      entry !== undefined ? entry[slot.kind] : slot.kind === "audio" ? this.#table.primaryAudio(streamId) : undefined;
    if (publication === undefined || publication.streamId !== streamId) return;
    this.#shown.set(slot.mid, publication);
    if (slot.kind === "audio") this.#setVolume(slot.mid, publication);
    if (publication.setVerified(true, slot.track)) this.emit("subscribed", publication, slot.track);
  }

  #onStopped(slot: SlotView): void {
    const publication = this.#shown.get(slot.mid);
    if (publication === undefined) return;
    this.#shown.delete(slot.mid);
    if (slot.kind === "audio") this.#output.setVolume(slot.mid, undefined);
    // It may come out of another slot already.
    if ([...this.#shown.values()].includes(publication)) return;
    if (publication.setVerified(false)) this.emit("unsubscribed", publication);
  }

  #setVolume(mid: string, publication: RemotePublication): void {
    // The same voice out of two slots is an echo: only the first is heard.
    const first = [...this.#shown].find(([, shown]) => shown === publication)?.[0];
    this.#output.setVolume(mid, publication.isDesired && first === mid ? publication.volume : undefined);
  }

  #onFailed(streamId: number, kind: "audio" | "video", error: ParleyError): void {
    for (const publication of this.#bySlot.values()) {
      if (publication.streamId !== streamId || publication.kind !== kind) continue;
      publication.fail(error);
      this.emit("failed", publication, error);
      return;
    }
  }
}
