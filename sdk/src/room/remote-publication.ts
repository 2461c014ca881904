import type { Clock } from "@parley/foundation";
import type { Stream, Track } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import type { ParleyError } from "../api/error.ts";
import type { RemotePublicationEvents, RemoteTrackPublication } from "../api/participant.ts";
import type { Attributes, Dimensions, TrackKind, TrackSource } from "../api/values.ts";
import { VideoTile } from "../media/video-tile.ts";
import { watchVisibility } from "../media/visibility.ts";
import { sourceFromWire, trackKindFromWire } from "./wire-values.ts";

export interface PublicationDeps {
  readonly clock: Clock;
  readonly adaptiveStream: boolean;
  /** What is wanted of this publication has changed. */
  readonly onDemand: () => void;
  /** Look at the packets now. */
  readonly look: () => void;
  readonly onVolume: (publication: RemotePublication) => void;
}

/** The id of a publication, from what the server knows of it. */
export function publicationId(streamId: number, mid: string): string {
  return `${streamId}:${mid}`;
}

export class RemotePublication extends TypedEmitter<RemotePublicationEvents> implements RemoteTrackPublication {
  readonly id: string;
  readonly kind: TrackKind;
  readonly source: TrackSource;
  readonly #deps: PublicationDeps;
  readonly #tiles = new Map<HTMLMediaElement, { readonly tile: VideoTile | undefined; readonly stop: () => void }>();
  readonly #visibleElements = new Set<HTMLMediaElement>();
  #stream: Stream;
  #info: Track;
  #isDesired = true;
  #isVisible: boolean;
  #slotTrack: MediaStreamTrack | undefined;
  #isVerified = false;
  #error: ParleyError | undefined;
  #volume = 1;

  constructor(stream: Stream, track: Track, deps: PublicationDeps) {
    super();
    this.#stream = stream;
    this.#info = track;
    this.#deps = deps;
    this.id = publicationId(stream.streamId, track.mid);
    this.kind = trackKindFromWire(track.kind);
    this.source = sourceFromWire(track.source);
    this.#isVisible = !deps.adaptiveStream;
  }

  get streamId(): number {
    return this.#stream.streamId;
  }
  get streamName(): string {
    return this.#stream.name;
  }
  get streamAttributes(): Attributes {
    return this.#stream.attributes;
  }
  get mid(): string {
    return this.#info.mid;
  }
  get muted(): boolean {
    return this.#info.muted;
  }
  get live(): boolean {
    return this.#info.live;
  }
  get codec(): string {
    return this.#info.codec;
  }
  get dimensions(): Dimensions | undefined {
    const { width, height } = this.#info;
    return width === 0 || height === 0 ? undefined : { width, height };
  }
  get track(): MediaStreamTrack | undefined {
    return this.#isVerified ? this.#slotTrack : undefined;
  }
  get isSubscribed(): boolean {
    return this.track !== undefined;
  }
  get subscriptionError(): ParleyError | undefined {
    return this.#error;
  }
  get isDesired(): boolean {
    return this.#isDesired;
  }
  get volume(): number {
    return this.#volume;
  }

  /** Whether a slot should be bound to it. */
  get wantsSlot(): boolean {
    if (!this.#isDesired) return false;
    return this.kind === "audio" || this.#isVisible || this.#visibleElements.size > 0;
  }

  setSubscribed(subscribed: boolean): void {
    if (this.#isDesired === subscribed) return;
    this.#isDesired = subscribed;
    this.#deps.onDemand();
  }

  setVisible(visible: boolean): void {
    if (this.#isVisible === visible) return;
    this.#isVisible = visible;
    this.#deps.onDemand();
  }

  attach(element: HTMLMediaElement): () => void {
    if (!this.#tiles.has(element)) {
      if (this.kind === "video") this.#attachVideo(element);
      else this.#attachAudio(element);
    }
    return () => this.detach(element);
  }

  detach(element?: HTMLMediaElement): void {
    for (const [attached, { tile, stop }] of [...this.#tiles]) {
      if (element !== undefined && attached !== element) continue;
      this.#tiles.delete(attached);
      stop();
      if (tile === undefined) attached.srcObject = null;
      else tile.close();
      this.#visibleElements.delete(attached);
    }
    this.#deps.onDemand();
  }

  setVolume(volume: number): void {
    this.#volume = volume;
    for (const element of this.#tiles.keys()) element.volume = Math.min(1, Math.max(0, volume));
    this.#deps.onVolume(this);
  }

  // ---- for the room ----

  /** Returns what changed, for the room's events. */
  update(stream: Stream, track: Track): "muted" | "unmuted" | "updated" {
    const wasMuted = this.#info.muted;
    this.#stream = stream;
    this.#info = track;
    const change = track.muted === wasMuted ? "updated" : track.muted ? "muted" : "unmuted";
    this.emit(change);
    return change;
  }

  /** Nothing comes until the publisher is back. */
  suspend(): void {
    if (!this.#info.live) return;
    this.#info = { ...this.#info, live: false };
    this.emit("updated");
  }

  /** A slot is to carry it; what comes out may still be somebody else. */
  setSlotTrack(track: MediaStreamTrack | undefined): void {
    this.#slotTrack = track;
    if (track !== undefined) this.#error = undefined;
    for (const { tile } of this.#tiles.values()) tile?.setTrack(track);
  }

  /** The packets say that it comes out of this track, or no longer. True when that is news. */
  setVerified(verified: boolean, track?: MediaStreamTrack): boolean {
    const isSame = track === undefined || track === this.#slotTrack;
    if (track !== undefined) this.#slotTrack = track;
    if (this.#isVerified === verified) {
      if (!isSame) this.#takeOver();
      return !isSame;
    }
    if (!isSame) for (const { tile } of this.#tiles.values()) tile?.setTrack(track);
    this.#isVerified = verified;
    for (const [element, { tile }] of this.#tiles) {
      if (tile !== undefined) tile.setVerified(verified);
      else this.#showAudio(element);
    }
    if (verified && this.#slotTrack !== undefined) this.emit("subscribed", this.#slotTrack);
    else this.emit("unsubscribed");
    return true;
  }

  /** The same picture (or voice) out of another PeerConnection, without a break. */
  #takeOver(): void {
    for (const [element, { tile }] of this.#tiles) {
      if (tile === undefined) this.#showAudio(element);
      else if (this.#slotTrack !== undefined) tile.takeOver(this.#slotTrack);
    }
    if (this.#slotTrack !== undefined) this.emit("subscribed", this.#slotTrack);
  }

  fail(error: ParleyError): void {
    this.#error = error;
    this.emit("subscriptionFailed", error);
  }

  /** It is no longer published. */
  close(): void {
    this.setVerified(false);
    this.setSlotTrack(undefined);
    for (const [element, { tile, stop }] of this.#tiles) {
      stop();
      // The last picture must not stay under a name that is gone.
      if (tile === undefined) element.srcObject = null;
      else tile.close();
    }
    this.#tiles.clear();
    this.#visibleElements.clear();
  }

  #attachVideo(element: HTMLMediaElement): void {
    const tile = new VideoTile(element, this.#deps.clock, this.#deps.look);
    const stop = watchVisibility(element, (visible) => {
      if (visible === this.#visibleElements.has(element)) return;
      if (visible) this.#visibleElements.add(element);
      else this.#visibleElements.delete(element);
      this.#deps.onDemand();
    });
    this.#tiles.set(element, { tile, stop });
    if (this.#slotTrack !== undefined) tile.setTrack(this.#slotTrack);
    tile.setVerified(this.#isVerified);
  }

  /** Beside the SDK's own playing: for those who set `setVolume(0)` and play themselves, or draw a meter. */
  #attachAudio(element: HTMLMediaElement): void {
    this.#tiles.set(element, { tile: undefined, stop: () => undefined });
    this.#showAudio(element);
  }

  #showAudio(element: HTMLMediaElement): void {
    const { track } = this;
    element.srcObject = track === undefined ? null : new MediaStream([track]);
    if (track !== undefined) void element.play().catch(() => undefined);
  }
}
