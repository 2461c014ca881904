import { sdkError } from "../api/error.ts";
import type { LocalTrackPublication } from "../api/participant.ts";
import type { Attributes, TrackKind, TrackSource } from "../api/values.ts";
import type { OutgoingTrack } from "../media/publisher.ts";
import { publicationId } from "./remote-publication.ts";

export interface LocalPublicationDeps {
  /** Tells the server; resolves also when there is no connection now (the next one says it). */
  setMuted(outgoing: OutgoingTrack, muted: boolean): Promise<void>;
  replace(outgoing: OutgoingTrack, track: MediaStreamTrack | null): Promise<void>;
  onChange(publication: LocalPublication, change: "muted" | "unmuted"): void;
  onEnded(publication: LocalPublication): void;
}

export class LocalPublication implements LocalTrackPublication {
  readonly outgoing: OutgoingTrack;
  /** Opens the device again; undefined: the track is the app's, and is only silenced. */
  readonly reopen: (() => Promise<MediaStreamTrack>) | undefined;
  readonly #deps: LocalPublicationDeps;
  #track: MediaStreamTrack;

  constructor(
    outgoing: OutgoingTrack,
    track: MediaStreamTrack,
    reopen: (() => Promise<MediaStreamTrack>) | undefined,
    deps: LocalPublicationDeps,
  ) {
    this.outgoing = outgoing;
    this.reopen = reopen;
    this.#deps = deps;
    this.#track = track;
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
    if (fresh !== undefined) await this.#take(fresh);
    this.#track.enabled = true;
    this.#deps.onChange(this, "unmuted");
  }

  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    if (track.kind !== this.kind) throw sdkError("bad-argument", `A track of kind ${this.kind} is needed.`);
    await this.#take(track);
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

  async #take(track: MediaStreamTrack): Promise<void> {
    const old = this.#track;
    this.#track = track;
    this.#watchEnd(track);
    await this.#deps.replace(this.outgoing, track);
    if (this.reopen !== undefined && old !== track) old.stop();
  }

  #watchEnd(track: MediaStreamTrack): void {
    // "ended" comes when a device is unplugged or the browser's own button is used, not after stop().
    track.addEventListener("ended", () => {
      if (track === this.#track) this.#deps.onEnded(this);
    });
  }
}
