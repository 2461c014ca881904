import { TypedEmitter } from "../api/emitter.ts";
import type { ParleyError } from "../api/error.ts";
import type { AudioOutput } from "../media/audio-output.ts";
import type { SlotView } from "../media/slot.ts";
import type { Subscriber } from "../media/subscriber.ts";
import { DemandTable } from "./demand-table.ts";
import type { RemotePublication } from "./remote-publication.ts";

export interface ReceiverEvents {
  subscribed: readonly [publication: RemotePublication, track: MediaStreamTrack];
  unsubscribed: readonly [publication: RemotePublication];
  failed: readonly [publication: RemotePublication, error: ParleyError];
}

/** A publication with a track that carries it, or is to. */
interface Placed {
  readonly publication: RemotePublication;
  readonly track: MediaStreamTrack;
}

/** Joins what publications want with what slots bring: pictures to tiles, sound to the players. */
export class Receiver extends TypedEmitter<ReceiverEvents> {
  readonly #subscriber: Subscriber;
  readonly #output: AudioOutput;
  readonly #table = new DemandTable();
  /** What a slot was last said to carry. */
  readonly #bySlot = new Map<string, Placed>();
  /** What certainly comes out of a slot. */
  readonly #shown = new Map<string, Placed>();

  constructor(subscriber: Subscriber, output: AudioOutput) {
    super();
    this.#subscriber = subscriber;
    this.#output = output;
    subscriber.on("assigned", (key, slot) => this.#onAssigned(key, slot));
    subscriber.on("unassigned", (_key, slot) => this.#onUnassigned(slot));
    subscriber.on("shows", (streamId, slot) => this.#onShows(streamId, slot));
    subscriber.on("stopped", (_streamId, slot) => this.#onStopped(slot));
    subscriber.on("bindFailed", (streamId, kind, error) => this.#onFailed(streamId, kind, error));
    subscriber.on("audioSlot", ({ id, track }) => output.add(id, track));
    subscriber.on("audioSlotGone", (id) => output.remove(id));
  }

  /** Something about the publications, or about what is wanted of them, has changed. */
  update(publications: Iterable<RemotePublication>, rankOf: (publication: RemotePublication) => number): void {
    this.#subscriber.setDemands(this.#table.build(publications, rankOf));
  }

  /** Its volume, or whether it is wanted, has changed. */
  volumeChanged(publication: RemotePublication): void {
    this.#setVolumes(publication);
  }

  publicationAt(mid: string): RemotePublication | undefined {
    return this.#shown.get(this.#subscriber.slotIdOf(mid))?.publication;
  }

  /** Whether packets of anything that is received should be coming. */
  get expectsMedia(): boolean {
    return [...this.#shown.values()].some(({ publication: { live, muted } }) => live && !muted);
  }

  #onAssigned(key: string, slot: SlotView): void {
    const publication = this.#table.get(key)?.[slot.kind];
    if (publication === undefined) return;
    this.#bySlot.set(slot.id, { publication, track: slot.track });
    // While a PeerConnection takes over, what the old one shows stays until the new one shows it.
    if (!publication.isSubscribed) publication.setSlotTrack(slot.track);
  }

  #onUnassigned(slot: SlotView): void {
    const publication = this.#bySlot.get(slot.id)?.publication;
    this.#bySlot.delete(slot.id);
    this.#onStopped(slot);
    if (publication === undefined || find(this.#shown, publication) !== undefined) return;
    publication.setSlotTrack(find(this.#bySlot, publication)?.track);
  }

  #onShows(streamId: number, slot: SlotView): void {
    const entry = slot.key === undefined ? undefined : this.#table.get(slot.key);
    const publication =
      entry !== undefined ? entry[slot.kind] : slot.kind === "audio" ? this.#table.primaryAudio(streamId) : undefined;
    if (publication === undefined || publication.streamId !== streamId) return;
    this.#shown.set(slot.id, { publication, track: slot.track });
    this.#present(publication);
  }

  #onStopped(slot: SlotView): void {
    const publication = this.#shown.get(slot.id)?.publication;
    if (publication === undefined) return;
    this.#shown.delete(slot.id);
    if (slot.kind === "audio") this.#output.setVolume(slot.id, undefined);
    this.#present(publication);
  }

  /** Gives a publication the track of the first slot it comes out of. */
  #present(publication: RemotePublication): void {
    const shown = find(this.#shown, publication);
    if (publication.kind === "audio") this.#setVolumes(publication);
    if (!publication.setVerified(shown !== undefined, shown?.track)) return;
    if (shown !== undefined) this.emit("subscribed", publication, shown.track);
    else this.emit("unsubscribed", publication);
  }

  /** The same voice out of two slots is an echo: only the first is heard. */
  #setVolumes(publication: RemotePublication): void {
    let isFirst = true;
    for (const [slotId, shown] of this.#shown) {
      if (shown.publication !== publication) continue;
      this.#output.setVolume(slotId, publication.isDesired && isFirst ? publication.volume : undefined);
      isFirst = false;
    }
  }

  #onFailed(streamId: number, kind: "audio" | "video", error: ParleyError): void {
    for (const { publication } of this.#bySlot.values()) {
      if (publication.streamId !== streamId || publication.kind !== kind) continue;
      publication.fail(error);
      this.emit("failed", publication, error);
      return;
    }
  }
}

function find(slots: ReadonlyMap<string, Placed>, publication: RemotePublication): Placed | undefined {
  for (const placed of slots.values()) if (placed.publication === publication) return placed;
  return undefined;
}
