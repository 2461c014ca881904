import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "@parley/foundation";
import type { RoomRequestSchema } from "@parley/protocol";
import { ParleyError, sdkError } from "../api/error.ts";
import type {
  AudioCaptureOptions,
  MediaOptions,
  ScreenCaptureOptions,
  SendDataOptions,
  TrackPublishOptions,
  VideoCaptureOptions,
} from "../api/options.ts";
import type { LocalParticipant, LocalTrackPublication } from "../api/participant.ts";
import type { Attributes, TrackSource } from "../api/values.ts";
import {
  createLocalAudioTrack,
  createLocalScreenTracks,
  createLocalVideoTrack,
  reopenerOf,
  type Reopen,
} from "../devices.ts";
import type { OutgoingTrack, Publisher } from "../media/publisher.ts";
import { LocalPublication, type LocalPublicationDeps, type TrackOrigin } from "./local-publication.ts";
import type { Phase } from "./membership.ts";
import { MuteReports } from "./mute-reports.ts";
import { ParticipantState } from "./participant-state.ts";

export type RoomMethod = NonNullable<MessageInitShape<typeof RoomRequestSchema>["method"]>;

export interface LocalParticipantDeps {
  readonly clock: Clock;
  readonly options: MediaOptions;
  readonly mediaDevices: MediaDevices | undefined;
  /** Undefined: no WebRTC here. */
  readonly publisher: Publisher | undefined;
  request(method: RoomMethod): Promise<void>;
  /** Offers are made only in the room; before, the next join carries what is there. */
  phase(): Phase;
  onPublished(publication: LocalPublication): void;
  onUnpublished(publication: LocalPublication): void;
  onPublishFailed(publication: LocalPublication, error: ParleyError): void;
  onMuteChange(publication: LocalPublication, change: "muted" | "unmuted"): void;
  onEnded(publication: LocalPublication): void;
  onDeviceError(error: ParleyError, source: TrackSource): void;
}

/** The name of the stream a source belongs to by itself: a camera goes with its microphone, a screen with its sound. */
const defaultStreams: Readonly<Record<TrackSource, string | undefined>> = {
  camera: "camera",
  microphone: "camera",
  screen: "screen",
  "screen-audio": "screen",
  custom: undefined,
};

export class LocalParticipantState extends ParticipantState implements LocalParticipant {
  readonly isLocal = true;
  readonly #deps: LocalParticipantDeps;
  readonly #mutes: MuteReports;
  readonly #all = new Set<LocalPublication>();
  /** One at a time per source: two clicks must not open a camera twice. */
  readonly #switching = new Map<TrackSource, Promise<LocalTrackPublication | undefined>>();
  #customCount = 0;
  /** Grows when we leave: a device that opens after that is nobody's, and is closed. */
  #turn = 0;
  #deviceIds: Partial<Record<TrackSource, string>> = {};

  constructor(deps: LocalParticipantDeps) {
    super(undefined);
    this.#deps = deps;
    this.#mutes = new MuteReports(deps);
    deps.publisher?.on("rejected", (outgoing, reason) => {
      const publication = [...this.#all].find((one) => one.outgoing === outgoing);
      if (publication !== undefined) this.#onRefused(publication, reason);
    });
  }

  get publications(): ReadonlyMap<string, LocalPublication> {
    return new Map([...this.#all].filter(({ streamId }) => streamId !== 0).map((one) => [one.id, one]));
  }

  getPublication(source: TrackSource): LocalPublication | undefined {
    for (const publication of this.#all) if (publication.source === source) return publication;
    return undefined;
  }

  find(streamId: number, mid: string): LocalPublication | undefined {
    return [...this.#all].find(({ outgoing }) => outgoing.streamId === streamId && outgoing.mid === mid);
  }

  setCameraEnabled(
    enabled: boolean,
    capture?: VideoCaptureOptions,
    publish?: TrackPublishOptions,
  ): Promise<LocalTrackPublication | undefined> {
    const open: Reopen = (otherId) => {
      const deviceId = otherId ?? this.#deviceIds.camera;
      const chosen = deviceId === undefined ? {} : { deviceId };
      const options = { ...this.#deps.options.videoCaptureDefaults, ...chosen, ...capture };
      return createLocalVideoTrack(options, this.#deps.mediaDevices);
    };
    return this.#switch("camera", enabled, open, publish);
  }

  setMicrophoneEnabled(
    enabled: boolean,
    capture?: AudioCaptureOptions,
    publish?: TrackPublishOptions,
  ): Promise<LocalTrackPublication | undefined> {
    const open: Reopen = (otherId) => {
      const deviceId = otherId ?? this.#deviceIds.microphone;
      const chosen = deviceId === undefined ? {} : { deviceId };
      const options = { ...this.#deps.options.audioCaptureDefaults, ...chosen, ...capture };
      return createLocalAudioTrack(options, this.#deps.mediaDevices);
    };
    return this.#switch("microphone", enabled, open, publish);
  }

  setScreenShareEnabled(
    enabled: boolean,
    capture: ScreenCaptureOptions = {},
    publish: TrackPublishOptions = {},
  ): Promise<LocalTrackPublication | undefined> {
    const turn = this.#turn;
    return this.#exclusive("screen", async () => {
      const present = this.getPublication("screen");
      if (!enabled) {
        const shared = [present, this.getPublication("screen-audio")].filter((one) => one !== undefined);
        await Promise.all(shared.map((one) => this.unpublishTrack(one, true)));
        return undefined;
      }
      if (present !== undefined) return present;
      const open = () => createLocalScreenTracks(capture, this.#deps.mediaDevices);
      const { video, audio } = await this.#opened("screen", turn, open, (opened) => {
        opened.video.stop();
        opened.audio?.stop();
      });
      if ("contentHint" in video) video.contentHint = "detail";
      try {
        const origin = { reopen: undefined, isOurs: true };
        if (turn !== this.#turn) throw sdkError("cancelled");
        const publishing = [this.#publish({ track: video, ...origin }, { ...publish, source: "screen" })];
        if (audio !== undefined)
          publishing.push(this.#publish({ track: audio, ...origin }, { ...publish, source: "screen-audio" }));
        return (await Promise.all(publishing))[0];
      } catch (error) {
        video.stop();
        audio?.stop();
        throw error;
      }
    });
  }

  publishTrack(track: MediaStreamTrack, options: TrackPublishOptions = {}): Promise<LocalTrackPublication> {
    return this.#publish(originOf(track, options), options);
  }

  async unpublishTrack(what: MediaStreamTrack | LocalTrackPublication, stop?: boolean): Promise<void> {
    const publication = [...this.#all].find((one) => one === what || one.track === what);
    if (publication === undefined) return;
    this.#all.delete(publication);
    if (stop ?? publication.isOurs) publication.track.stop();
    this.#deps.onUnpublished(publication);
    await this.#deps.publisher?.unpublish(publication.outgoing);
  }

  async sendData(payload: Uint8Array | string, options: SendDataOptions = {}): Promise<void> {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    const { topic = "", reliable = true, to = [] } = options;
    await this.#deps.request({
      case: "sendData",
      value: { payload: bytes, topic, reliable, toParticipantIds: [...to] },
    });
  }

  async setName(name: string): Promise<void> {
    await this.#deps.request({ case: "updateSelf", value: { name } });
  }

  async setAttributes(attributes: Attributes): Promise<void> {
    await this.#deps.request({ case: "updateSelf", value: { attributes: { ...attributes } } });
  }

  async setHandRaised(raised: boolean): Promise<void> {
    await this.#deps.request({ case: "updateSelf", value: { handRaised: raised } });
  }

  // ---- for the room ----

  /** Takes a track before the join, which then carries it. */
  prepublish(track: MediaStreamTrack, options: TrackPublishOptions = {}): void {
    this.#publish(originOf(track, options), options).catch(() => undefined);
  }

  /** Another device, now and when the source is opened next. */
  async useDevice(source: "camera" | "microphone", deviceId: string): Promise<void> {
    this.#deviceIds[source] = deviceId;
    const publication = this.getPublication(source);
    if (publication === undefined || publication.reopen === undefined) return;
    if (publication.muted && source === "camera") return;
    await this.#opened(
      source,
      this.#turn,
      () => publication.switchDevice(deviceId),
      () => stopOurs(publication),
    );
  }

  deviceOf(source: "camera" | "microphone"): string | undefined {
    return this.getPublication(source)?.track.getSettings().deviceId ?? this.#deviceIds[source];
  }

  /** We have left: what the SDK opened is closed. */
  close(): void {
    this.#turn += 1;
    this.#mutes.close();
    for (const publication of this.#all) {
      stopOurs(publication);
      void this.#deps.publisher?.unpublish(publication.outgoing);
    }
    this.#all.clear();
  }

  // ---- publishing ----

  #switch(
    source: "camera" | "microphone",
    enabled: boolean,
    open: Reopen,
    publish: TrackPublishOptions = {},
  ): Promise<LocalTrackPublication | undefined> {
    const turn = this.#turn;
    return this.#exclusive(source, async () => {
      const present = this.getPublication(source);
      if (present !== undefined) {
        const unmute = () => present.unmute();
        await (enabled ? this.#opened(source, turn, unmute, () => stopOurs(present)) : present.mute());
        return present;
      }
      if (!enabled) return undefined;
      const track = await this.#opened(source, turn, open, (opened) => opened.stop());
      try {
        if (turn !== this.#turn) throw sdkError("cancelled");
        return await this.#publish({ track, reopen: open, isOurs: true }, { ...publish, source });
      } catch (error) {
        track.stop();
        throw error;
      }
    });
  }

  #exclusive(
    source: TrackSource,
    task: () => Promise<LocalTrackPublication | undefined>,
  ): Promise<LocalTrackPublication | undefined> {
    const before = this.#switching.get(source) ?? Promise.resolve(undefined);
    const run = before.catch(() => undefined).then(task);
    this.#switching.set(source, run);
    return run;
  }

  /** `turn`: that of the call. When we have left meanwhile, what was opened is closed by `undo`, and the call is cancelled. */
  async #opened<T>(source: TrackSource, turn: number, open: () => Promise<T>, undo: (opened: T) => void): Promise<T> {
    if (turn !== this.#turn) throw sdkError("cancelled");
    let opened: T;
    try {
      opened = await open();
    } catch (error) {
      if (turn !== this.#turn) throw sdkError("cancelled");
      if (error instanceof ParleyError && error.code.startsWith("device")) this.#deps.onDeviceError(error, source);
      throw error;
    }
    if (turn === this.#turn) return opened;
    undo(opened);
    throw sdkError("cancelled");
  }

  async #publish(origin: TrackOrigin, options: TrackPublishOptions): Promise<LocalPublication> {
    const { publisher } = this.#deps;
    if (publisher === undefined) throw sdkError("media-unsupported");
    const { track } = origin;
    if ([...this.#all].some((one) => one.track === track))
      throw sdkError("bad-argument", "The track is published already.");
    const outgoing = this.#outgoingOf(track, options);
    const publication = new LocalPublication(outgoing, origin, this.#publicationDeps(publisher));
    this.#all.add(publication);
    const phase = this.#deps.phase();
    const placing = phase === "in" ? publisher.publish(outgoing) : publisher.add(outgoing);
    if (phase === "out" || phase === "waiting") {
      // Nobody knows when that will be, so nobody is made to wait for it.
      placing.then(
        () => this.#deps.onPublished(publication),
        (error: unknown) => this.#onRefused(publication, error),
      );
      return publication;
    }
    try {
      await placing;
    } catch (error) {
      this.#all.delete(publication);
      throw error;
    }
    this.#deps.onPublished(publication);
    return publication;
  }

  #onRefused(publication: LocalPublication, error: unknown): void {
    // Taken back, or we have left: nothing to tell.
    if (!this.#all.delete(publication)) return;
    if (publication.isOurs) publication.track.stop();
    const reason = error instanceof ParleyError ? error : sdkError("media-failed", String(error), error);
    this.#deps.onPublishFailed(publication, reason);
  }

  #publicationDeps(publisher: Publisher): LocalPublicationDeps {
    return {
      setMuted: (outgoing, muted) => this.#mutes.tell(outgoing, muted),
      replace: (outgoing, track) => publisher.replace(outgoing, track),
      onChange: (publication, change) => this.#deps.onMuteChange(publication, change),
      onEnded: (publication) => this.#deps.onEnded(publication),
    };
  }

  #outgoingOf(track: MediaStreamTrack, options: TrackPublishOptions): OutgoingTrack {
    const kind = track.kind === "audio" ? "audio" : "video";
    const source = options.source ?? (kind === "audio" ? "microphone" : "camera");
    const { videoMaxBitrateBps, audioMaxBitrateBps, videoCodec } = {
      ...this.#deps.options.publishDefaults,
      ...options,
    };
    const settings = kind === "video" && typeof track.getSettings === "function" ? track.getSettings() : {};
    if (source === "custom" && options.stream === undefined) this.#customCount += 1;
    return {
      kind,
      source,
      stream: options.stream ?? defaultStreams[source] ?? `custom-${this.#customCount}`,
      streamAttributes: options.streamAttributes ?? {},
      options: {
        ...(videoMaxBitrateBps === undefined ? {} : { videoMaxBitrateBps }),
        ...(audioMaxBitrateBps === undefined ? {} : { audioMaxBitrateBps }),
        ...(videoCodec === undefined ? {} : { videoCodec }),
      },
      track,
      muted: options.muted ?? false,
      width: settings.width ?? 0,
      height: settings.height ?? 0,
      streamId: 0,
      mid: "",
    };
  }
}

/** Of a track that the app gives us. */
function originOf(track: MediaStreamTrack, { reopen }: TrackPublishOptions): TrackOrigin {
  return { track, reopen: reopen ?? reopenerOf(track), isOurs: false };
}

function stopOurs(publication: LocalPublication): void {
  if (publication.isOurs) publication.track.stop();
}
