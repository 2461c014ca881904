/** What of a MediaStreamTrack the SDK uses. */
export class FakeTrack extends EventTarget {
  readonly kind: "audio" | "video";
  enabled = true;
  readyState: "live" | "ended" = "live";

  constructor(kind: "audio" | "video") {
    super();
    this.kind = kind;
  }

  stop(): void {
    this.readyState = "ended";
  }

  getSettings(): MediaTrackSettings {
    return this.kind === "video" ? { width: 640, height: 360, deviceId: "cam" } : { deviceId: "mic" };
  }

  /** As when a device is pulled out. */
  unplug(): void {
    this.readyState = "ended";
    this.dispatchEvent(new Event("ended"));
  }

  asTrack(): MediaStreamTrack {
    return this as unknown as MediaStreamTrack;
  }
}

export class FakeTransceiver {
  mid: string | null = null;
  stopped = false;
  readonly kind: "audio" | "video";
  readonly direction: string;
  readonly receiver: {
    track: FakeTrack;
    sources: { source: number; timestamp: number }[];
    getContributingSources(): unknown;
  };
  readonly sender: { track: FakeTrack | null; replaceTrack(track: FakeTrack | null): Promise<void> };

  /** `chain`: how the PeerConnection carries out what it is asked. */
  constructor(
    trackOrKind: FakeTrack | "audio" | "video",
    direction: string,
    chain: <T>(result: () => T) => Promise<T> = (result) => Promise.resolve(result()),
  ) {
    this.kind = typeof trackOrKind === "string" ? trackOrKind : trackOrKind.kind;
    this.direction = direction;
    this.receiver = {
      track: new FakeTrack(this.kind),
      sources: [],
      getContributingSources() {
        return this.sources;
      },
    };
    this.sender = {
      track: typeof trackOrKind === "string" ? null : trackOrKind,
      replaceTrack(track) {
        return chain(() => {
          this.track = track;
        });
      },
    };
  }

  stop(): void {
    this.stopped = true;
  }

  /** Packets of this stream come out now. */
  play(streamId: number, atMs: number): void {
    const others = this.receiver.sources.filter(({ source }) => source !== streamId);
    this.receiver.sources = streamId === 0 ? others : [...others, { source: streamId, timestamp: atMs }];
  }
}

/** A PeerConnection that negotiates with anybody and connects at once, unless told otherwise. */
export class FakePeerConnection extends EventTarget {
  static connectsByItself = true;
  /** So many answers are not to its liking. */
  static answersRefused = 0;
  readonly transceivers: FakeTransceiver[] = [];
  connectionState: RTCPeerConnectionState = "new";
  iceConnectionState: RTCIceConnectionState = "new";
  localDescription: { type: string; sdp: string } | null = null;
  offers = 0;
  restarts = 0;
  packetsReceived = 0;
  closed = false;
  #nextMid = 0;

  addTransceiver(trackOrKind: FakeTrack | "audio" | "video", init: RTCRtpTransceiverInit = {}): FakeTransceiver {
    const transceiver = new FakeTransceiver(trackOrKind, init.direction ?? "sendrecv", (result) =>
      this.#unlessClosed(result),
    );
    this.transceivers.push(transceiver);
    return transceiver;
  }

  createOffer(options: RTCOfferOptions = {}): Promise<{ type: string; sdp: string }> {
    this.offers += 1;
    if (options.iceRestart === true) this.restarts += 1;
    const offer = { type: "offer", sdp: `offer ${this.offers}` };
    return this.#unlessClosed(() => offer);
  }

  setLocalDescription(description: { type: string; sdp: string }): Promise<void> {
    return this.#unlessClosed(() => {
      if (description.type === "rollback") return;
      this.localDescription = description;
      for (const transceiver of this.transceivers) {
        if (transceiver.stopped) transceiver.mid = null;
        else transceiver.mid ??= String(this.#nextMid++);
      }
    });
  }

  setRemoteDescription(): Promise<void> {
    if (FakePeerConnection.answersRefused > 0) {
      FakePeerConnection.answersRefused -= 1;
      return Promise.reject(new DOMException("No.", "OperationError"));
    }
    return this.#unlessClosed(() => {
      if (FakePeerConnection.connectsByItself) this.setState("connected");
    });
  }

  /** What a PeerConnection is asked takes some turns; a closed one refuses, and when it is closed meanwhile the promise never settles (WebRTC 4.4.1.2). */
  #unlessClosed<T>(result: () => T): Promise<T> {
    if (this.closed) return Promise.reject(new DOMException("It is closed.", "InvalidStateError"));
    return new Promise((resolve) => {
      const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
        if (!this.closed) resolve(result());
      };
      void settle();
    });
  }

  setState(state: RTCPeerConnectionState): void {
    if (this.closed || this.connectionState === state) return;
    this.connectionState = state;
    this.iceConnectionState = state === "connected" ? "connected" : this.iceConnectionState;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  getStats(): Promise<Map<string, unknown>> {
    const entries = [
      { id: "T", type: "transport", selectedCandidatePairId: "P" },
      { id: "P", type: "candidate-pair", packetsReceived: this.packetsReceived, currentRoundTripTime: 0.02 },
    ];
    return Promise.resolve(new Map(entries.map((entry) => [entry.id, entry])));
  }

  close(): void {
    this.closed = true;
    this.connectionState = "closed";
  }
}

/** Devices that always open, unless `refusal` says otherwise. */
export class FakeDevices extends EventTarget {
  refusal: Error | undefined;
  /** Devices open when this is done, as after a question to the user. */
  answer: Promise<void> = Promise.resolve();
  readonly opened: FakeTrack[] = [];
  readonly asked: MediaStreamConstraints[] = [];

  async getUserMedia(constraints: MediaStreamConstraints): Promise<unknown> {
    this.asked.push(constraints);
    await this.answer;
    if (this.refusal !== undefined) throw this.refusal;
    const track = new FakeTrack(constraints.video === undefined || constraints.video === false ? "audio" : "video");
    this.opened.push(track);
    return { getTracks: () => [track] };
  }

  async getDisplayMedia(): Promise<unknown> {
    await this.answer;
    if (this.refusal !== undefined) throw this.refusal;
    const track = new FakeTrack("video");
    this.opened.push(track);
    return { getVideoTracks: () => [track], getAudioTracks: () => [], getTracks: () => [track] };
  }

  enumerateDevices(): Promise<unknown[]> {
    return Promise.resolve([]);
  }
}
