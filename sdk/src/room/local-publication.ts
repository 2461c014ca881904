import { sdkError } from "../api/error.ts";
import type { LocalTrackPublication } from "../api/participant.ts";
import type { Attributes, TrackKind, TrackSource } from "../api/values.ts";
import type { Reopen } from "../devices.ts";
import type { OutgoingTrack } from "../media/publisher.ts";
import { publicationId } from "./remote-publication.ts";

export interface LocalPublicationDeps {
  /** Tells the server; resolves also when there is no connection now (the next one says it). */
  setMuted(outgoing: OutgoingTrack, muted: boolean): Promise<void>;
  replace(outgoing: OutgoingTrack, track: MediaStreamTrack | null): Promise<void>;
  onChange(publication: LocalPublication, change: "muted" | "unmuted"): void;
  onEnded(publication: LocalPublication): void;
}

/** Where a track comes from. */
export interface TrackOrigin {
  readonly track: MediaStreamTrack;
  /** Opens the device again; undefined: it can only be silenced. */
  readonly reopen: Reopen | undefined;
  /** Ours to stop: the SDK opened it for this publication, the app does not hold it. */
  readonly isOurs: boolean;
}

export class LocalPublication implements LocalTrackPublication {
  readonly outgoing: OutgoingTrack;
  readonly reopen: Reopen | undefined;
  readonly #deps: LocalPublicationDeps;
  #track: MediaStreamTrack;
  #isOurs: boolean;

  constructor(outgoing: OutgoingTrack, { track, reopen, isOurs }: TrackOrigin, deps: LocalPublicationDeps) {
    this.outgoing = outgoing;
    this.reopen = reopen;
    this.#deps = deps;
    this.#track = track;
    this.#isOurs = isOurs;
    this.#watchEnd(track);
    if (outgoing.muted) track.enabled = false;
  }

  get id(): string {
    return publicationId(this.outgoing.streamId, this.outgoing.mid);
  }
  get streamId(): number {
    return this.outgoing.streamId;
  }
  get streamName(): string {
    return this.outgoing.stream;
  }
  get streamAttributes(): Attributes {
    return this.outgoing.streamAttributes;
  }
  get kind(): TrackKind {
    return this.outgoing.kind;
  }
  get source(): TrackSource {
    return this.outgoing.source;
  }
  get muted(): boolean {
    return this.outgoing.muted;
  }
  get track(): MediaStreamTrack {
    return this.#track;
  }

  /** Whether the SDK opened its track for it. */
  get isOurs(): boolean {
    return this.#isOurs;
  }

  async mute(): Promise<void> {
    if (this.muted) return;
    await this.silence();
    await this.#deps.setMuted(this.outgoing, true);
  }

  async unmute(): Promise<void> {
    if (!this.muted) return;
    const fresh =
      this.#track.readyState === "ended"
        ? await (this.reopen ?? (() => Promise.reject(sdkError("device-failed", "The track has ended."))))()
        : undefined;
    try {
      // The server first: a host may not let us.
      await this.#deps.setMuted(this.outgoing, false);
    } catch (error) {
      fresh?.stop();
      throw error;
    }
    this.outgoing.muted = false;
    if (fresh !== undefined) await this.#take(fresh, true);
    this.#track.enabled = true;
    this.#deps.onChange(this, "unmuted");
  }

  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    if (track.kind !== this.kind) throw sdkError("bad-argument", `A track of kind ${this.kind} is needed.`);
    await this.#take(track, false);
    track.enabled = !this.muted;
  }

  /** The same source on another device. */
  async switchDevice(deviceId: string): Promise<void> {
    if (this.reopen === undefined) return;
    const track = await this.reopen(deviceId);
    await this.#take(track, true);
    track.enabled = !this.muted;
  }

  /** Muted, without asking anybody (a host did it, or the caller tells the server). */
  async silence(): Promise<void> {
    if (this.outgoing.muted) return;
    this.outgoing.muted = true;
    this.#track.enabled = false;
    if (this.kind === "video" && this.reopen !== undefined) {
      // The camera's light goes off.
      this.#track.stop();
      await this.#deps.replace(this.outgoing, null);
    }
    this.#deps.onChange(this, "muted");
  }

  async #take(track: MediaStreamTrack, isOurs: boolean): Promise<void> {
    const old = { track: this.#track, isOurs: this.#isOurs };
    this.#track = track;
    this.#isOurs = isOurs;
    this.#watchEnd(track);
    await this.#deps.replace(this.outgoing, track);
    if (old.isOurs && old.track !== track) old.track.stop();
  }

  #watchEnd(track: MediaStreamTrack): void {
    // "ended" comes when a device is unplugged or the browser's own button is used, not after stop().
    track.addEventListener("ended", () => {
      if (track === this.#track) this.#deps.onEnded(this);
    });
  }
}
