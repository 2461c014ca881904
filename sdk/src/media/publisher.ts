import type { SessionAnswer } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError, sdkError, wireError } from "../api/error.ts";
import type { TrackPublishDefaults } from "../api/options.ts";
import type { Attributes, TrackSource } from "../api/values.ts";
import { sourceToWire } from "../room/wire-values.ts";
import { MediaSession, type MediaSessionDeps } from "./media-session.ts";
import type { SessionContent } from "./session-content.ts";
import { encodingFor, preferCodec } from "./send-encoding.ts";
import type { SectionInit } from "./session-requests.ts";

/** A track that is to be sent, over all PeerConnections that come and go. */
export interface OutgoingTrack {
  readonly kind: "audio" | "video";
  readonly source: TrackSource;
  readonly stream: string;
  readonly streamAttributes: Attributes;
  readonly options: TrackPublishDefaults;
  /** Null: muted, nothing to send. */
  track: MediaStreamTrack | null;
  muted: boolean;
  /** Set for a backup: nothing but this codec. */
  readonly onlyCodec?: string;
  /** Size of the picture, 0 unknown. */
  width: number;
  height: number;
  /** As the server knows it; 0 and "" before the first answer. */
  streamId: number;
  mid: string;
}

export interface PublisherEvents {
  /** A track got its place, or another one after a reconnect. */
  placed: readonly [track: OutgoingTrack];
  /** It was muted or unmuted after the offer was made that has been answered now: the server has the wrong word. */
  outdated: readonly [track: OutgoingTrack];
  /** It had a place, and is refused another one. */
  rejected: readonly [track: OutgoingTrack, reason: ParleyError];
}

/** For so many packets there is feedback within a look's time. */
const feedbackPackets = 15;
/** Pauses before an offer that was refused for now is made again, the last one for all that follow. Who waits for his first place gives up after them. */
const retryPausesMs = [500, 1_000, 2_000, 4_000];

interface Entry {
  readonly outgoing: OutgoingTrack;
  readonly placed: PromiseWithResolvers<void>;
  transceiver: RTCRtpTransceiver | undefined;
  removed: boolean;
  /** It has had a place. */
  wasPlaced?: boolean;
  /** As the last offer says. */
  toldMuted?: boolean;
  readonly backupOf?: OutgoingTrack;
}

interface WantedBackup {
  readonly streamId: number;
  /** Of the track that somebody cannot decode. */
  readonly mid: string;
  readonly codec: string;
}

/** What we send: tracks in, one PeerConnection that carries them out. */
export class Publisher extends TypedEmitter<PublisherEvents> implements SessionContent {
  readonly session: MediaSession;
  #entries: Entry[] = [];
  /** Backups that the server has asked for, by where and in which codec. */
  readonly #wanted = new Map<string, WantedBackup>();
  /** One after the other. */
  #refusals = 0;

  constructor(deps: MediaSessionDeps) {
    super();
    this.session = new MediaSession("pub", this, deps);
  }

  get isEmpty(): boolean {
    return this.#entries.every(({ removed }) => removed);
  }

  get tracks(): readonly OutgoingTrack[] {
    return this.#entries.filter(({ removed }) => !removed).map(({ outgoing }) => outgoing);
  }

  /** Known from now on; sent with the next offer. Resolves when the server has taken it. */
  add(outgoing: OutgoingTrack): Promise<void> {
    const placed = Promise.withResolvers<void>();
    // Whoever does not wait must not be told of an unhandled rejection.
    placed.promise.catch(() => undefined);
    this.#entries.push({ outgoing, placed, transceiver: undefined, removed: false });
    return placed.promise;
  }

  /** Adds and offers. */
  async publish(outgoing: OutgoingTrack): Promise<void> {
    const placed = this.add(outgoing);
    this.offer();
    await placed;
  }

  async unpublish(outgoing: OutgoingTrack): Promise<void> {
    const entry = this.#entries.find((candidate) => candidate.outgoing === outgoing);
    if (entry === undefined) return;
    for (const one of [entry, ...this.#backupsOf(outgoing)]) {
      one.removed = true;
      one.placed.reject(sdkError("cancelled"));
    }
    if (!this.session.isOpen) {
      // An offer that carries it may be on its way: it is taken back once that is answered, and nobody waits for it.
      if (entry.transceiver === undefined) this.#forgetRemoved();
      else this.offer();
      return;
    }
    await this.session.negotiate().catch((error: unknown) => {
      // The PeerConnection has gone, and the track with it.
      if (!(error instanceof ParleyError) || error.code !== "cancelled") throw error;
    });
  }

  /** Another track, or none, in the same place. */
  async replace(outgoing: OutgoingTrack, track: MediaStreamTrack | null): Promise<void> {
    const entries = this.#entries.filter((candidate) => candidate.outgoing === outgoing);
    await Promise.all(
      [...entries, ...this.#backupsOf(outgoing)].map(async (entry) => {
        entry.outgoing.track = track;
        const { transceiver } = entry;
        if (transceiver === undefined) return;
        await this.session.unlessGone(transceiver.sender.replaceTrack(track)).catch((error: unknown) => {
          // The next PeerConnection begins with the new track.
          if (entry.transceiver === transceiver) throw error;
        });
      }),
    );
  }

  /** Somebody cannot decode a track: send it once more in this codec, while that is wanted. Of a track that has no place yet it is kept until it has. */
  backup(streamId: number, mid: string, codec: string, wanted: boolean): void {
    const key = `${streamId} ${mid} ${codec}`;
    if (wanted) this.#wanted.set(key, { streamId, mid, codec });
    else this.#wanted.delete(key);
    if (this.#matchBackups()) this.offer();
  }

  /** The places are those of a room that we are no longer in, and so is what was wanted there. */
  leaveRoom(): void {
    this.#wanted.clear();
    this.#matchBackups();
    for (const { outgoing } of this.#entries) outgoing.streamId = 0;
  }

  /** Brings the backups in line with what is wanted; returns whether that changes the offer. */
  #matchBackups(): boolean {
    let changed = false;
    for (const entry of [...this.#entries]) {
      const { outgoing } = entry;
      if (entry.backupOf !== undefined || entry.removed) continue;
      const wanted = [...this.#wanted.values()].filter((one) => isPlace(outgoing, one)).map(({ codec }) => codec);
      const backups = this.#backupsOf(outgoing);
      for (const backup of backups) {
        if (wanted.includes(backup.outgoing.onlyCodec ?? "")) continue;
        backup.removed = true;
        changed = true;
      }
      for (const codec of wanted) {
        if (backups.some((one) => one.outgoing.onlyCodec === codec)) continue;
        this.#addBackup(outgoing, codec);
        changed = true;
      }
    }
    if (changed) this.#forgetRemoved();
    return changed;
  }

  #addBackup(outgoing: OutgoingTrack, codec: string): void {
    const copy: OutgoingTrack = { ...outgoing, onlyCodec: codec, streamId: 0, mid: "" };
    const placed = Promise.withResolvers<void>();
    placed.promise.catch(() => undefined);
    this.#entries.push({ outgoing: copy, placed, transceiver: undefined, removed: false, backupOf: outgoing });
  }

  /** Where the server knows a track, its backups included. */
  placesOf(outgoing: OutgoingTrack): readonly { readonly streamId: number; readonly mid: string }[] {
    const backups = this.#backupsOf(outgoing).map((entry) => entry.outgoing);
    for (const backup of backups) backup.muted = outgoing.muted;
    return [outgoing, ...backups].filter(({ streamId }) => streamId !== 0);
  }

  #backupsOf(outgoing: OutgoingTrack): readonly Entry[] {
    return this.#entries.filter(({ backupOf, removed }) => backupOf === outgoing && !removed);
  }

  /** Offers what is there; a refusal rejects what waits for its place. */
  offer(): void {
    this.session.negotiate().then(
      () => {
        this.#refusals = 0;
      },
      (error: unknown) => this.#refused(error),
    );
  }

  /** The offer was refused. What may work later is offered again. */
  #refused(error: unknown): void {
    const reason = error instanceof ParleyError ? error : sdkError("media-failed", String(error), error);
    // Another PeerConnection takes over, or the next join carries it.
    if (reason.code === "cancelled" || reason.code === "connection-lost") return;
    const pauseMs = retryPausesMs[Math.min(this.#refusals, retryPausesMs.length - 1)] ?? 0;
    this.#refusals += 1;
    const isOver = !reason.retryable || this.#refusals > retryPausesMs.length;
    const { isOpen } = this.session;
    const waiting = this.#entries.filter(({ outgoing, removed }) => !removed && (outgoing.streamId === 0 || !isOpen));
    const rejected = waiting.filter(({ wasPlaced }) => !reason.retryable || (isOver && wasPlaced !== true));
    for (const entry of rejected) this.#reject(entry, reason);
    // Nothing is left to carry.
    if (this.isEmpty && !isOpen) this.session.end();
    if (waiting.length === rejected.length) this.#refusals = 0;
    else this.session.later(Math.max(pauseMs, reason.retryAfterMs), () => this.offer());
  }

  rtpSenderOf(outgoing: OutgoingTrack): RTCRtpSender | undefined {
    return this.#entries.find((entry) => entry.outgoing === outgoing)?.transceiver?.sender;
  }

  // ---- SessionContent ----

  build(pc: RTCPeerConnection): void {
    this.#forgetRemoved();
    for (const entry of this.#entries) this.#addTo(pc, entry);
  }

  prepareUpdate(pc: RTCPeerConnection): void {
    for (const entry of this.#entries) {
      if (entry.removed) stop(entry);
      else if (entry.transceiver === undefined) this.#addTo(pc, entry);
    }
    this.#forgetRemoved();
  }

  sections(): SectionInit[] {
    return this.#entries.flatMap((entry): SectionInit[] => {
      const { outgoing, transceiver, backupOf: original } = entry;
      const mid = transceiver?.mid;
      if (mid === undefined || mid === null) return [];
      entry.toldMuted = outgoing.muted;
      const { stream, source, muted, width, height, streamAttributes } = outgoing;
      const backupOf = this.#entries.find((other) => other.outgoing === original)?.transceiver?.mid ?? "";
      const value = { stream, source: sourceToWire(source), muted, width, height, streamAttributes, backupOf };
      return [{ mid, use: { case: "publish", value } }];
    });
  }

  openExtras(): Record<string, never> {
    return {};
  }

  answered(answer: SessionAnswer): void {
    for (const entry of [...this.#entries]) {
      const mid = entry.transceiver?.mid;
      if (mid === undefined || mid === null || entry.removed) continue;
      const refusal = answer.refused.find((refused) => refused.mid === mid);
      if (refusal !== undefined) {
        this.#reject(entry, refusal.error === undefined ? sdkError("media-failed") : wireError(refusal.error));
        continue;
      }
      const stream = answer.published.find(({ name }) => name === entry.outgoing.stream);
      if (stream === undefined) continue;
      const isNew = entry.outgoing.streamId !== stream.streamId || entry.outgoing.mid !== mid;
      entry.outgoing.streamId = stream.streamId;
      entry.outgoing.mid = mid;
      entry.wasPlaced = true;
      entry.placed.resolve();
      if (isNew) this.emit("placed", entry.outgoing);
      if (entry.toldMuted !== entry.outgoing.muted) this.emit("outdated", entry.outgoing);
    }
    // Another stream may be at that place now, or this one's backup was asked for before we knew that it is there.
    if (this.#matchBackups()) this.offer();
  }

  dropped(): void {
    for (const entry of this.#entries) entry.transceiver = undefined;
  }

  /** It goes on sending until its successor is connected. */
  retired(): void {
    this.dropped();
  }

  readonly isTakenOver = true;

  released(): void {}

  refused(reason: ParleyError): void {
    for (const entry of [...this.#entries]) this.#reject(entry, reason);
  }

  expectsPackets(sentPackets: number | undefined): boolean {
    if (sentPackets !== undefined) return sentPackets >= feedbackPackets;
    return this.#entries.some(({ outgoing: { track, muted }, removed }) => !removed && track !== null && !muted);
  }

  #addTo(pc: RTCPeerConnection, entry: Entry): void {
    const { outgoing } = entry;
    const encoding = encodingFor(outgoing);
    const init: RTCRtpTransceiverInit = { direction: "sendonly" };
    if (encoding !== undefined) init.sendEncodings = [encoding];
    entry.transceiver = pc.addTransceiver(outgoing.track ?? outgoing.kind, init);
    const codec = outgoing.onlyCodec ?? outgoing.options.videoCodec;
    if (outgoing.kind === "video" && codec !== undefined) {
      preferCodec(entry.transceiver, codec, outgoing.onlyCodec !== undefined);
    }
  }

  #reject(entry: Entry, reason: ParleyError): void {
    entry.removed = true;
    stop(entry);
    entry.placed.reject(reason);
    const { backupOf: original, outgoing } = entry;
    // Who wants it does without.
    if (original !== undefined) this.#wanted.delete(`${original.streamId} ${original.mid} ${outgoing.onlyCodec}`);
    this.#forgetRemoved();
    if (entry.wasPlaced === true) this.emit("rejected", entry.outgoing, reason);
  }

  /** But for what the PeerConnection still carries. */
  #forgetRemoved(): void {
    this.#entries = this.#entries.filter(({ removed, transceiver }) => !removed || transceiver !== undefined);
  }
}

function isPlace(outgoing: OutgoingTrack, { streamId, mid }: WantedBackup): boolean {
  return outgoing.streamId === streamId && outgoing.mid === mid;
}

function stop(entry: Entry): void {
  entry.transceiver?.stop();
  entry.transceiver = undefined;
}
