/** The addon's own interface: plain numbers and bytes. `adapters/media-native` makes the port out of it. */
export interface NativeAddon {
  /** OpenSSL functions that this process lacks. */
  missingSymbols(): string[];
  generateCertificate(): NativeCertificate | undefined;
  loadCertificate(certificatePem: string, keyPem: string): NativeCertificate | undefined;
  readonly DtlsTransport: new (
    certificate: object,
    isClient: boolean,
    fingerprints: readonly (readonly [string, Uint8Array])[],
    profiles: readonly number[],
  ) => NativeDtlsTransport;
  readonly Plane: new (options: NativePlaneOptions, onEvents: (batch: Uint8Array) => void) => NativePlane;
}

export interface NativeCertificate {
  readonly fingerprint: Uint8Array;
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly native: object;
}

export interface NativeDtlsResult {
  readonly state: "handshaking" | "connected" | "closed" | "failed";
  readonly datagrams: readonly Uint8Array[];
  readonly timeoutMs: number | undefined;
  readonly error?: "fingerprint-mismatch" | "no-srtp-profile" | "protocol" | "timeout";
  readonly srtpProfile?: "AEAD_AES_128_GCM" | "AEAD_AES_256_GCM" | "AES128_CM_SHA1_80";
}

export interface NativeDtlsTransport {
  receive(datagram: Uint8Array): NativeDtlsResult;
  timeout(): NativeDtlsResult;
  close(): NativeDtlsResult;
}

export interface NativePlaneOptions {
  readonly bind: readonly string[];
  readonly udpPort: number;
  readonly tcp: boolean;
  readonly tcpPort: number;
  readonly threads: number;
  readonly segmentation: boolean;
  readonly scheduling: string;
  readonly ufragKey: Uint8Array;
}

export interface NativeIce {
  readonly localUfrag: string;
  readonly localPassword: string;
  readonly remoteUfrag: string;
}

export interface NativePlane {
  flush(): void;
  openPeer(ice: NativeIce): number;
  restartIce(peer: number, ice: NativeIce): void;
  retirePreviousIce(peer: number): void;
  addPath(peer: number, path: Uint8Array): void;
  selectPath(peer: number, path: Uint8Array): void;
  sendTo(path: Uint8Array, datagram: Uint8Array): void;
  setSrtpKeys(peer: number, transport: NativeDtlsTransport): boolean;
  closePeer(peer: number): void;
  /**
   * `codecs`, five numbers each: payload type, codec, clock rate in Hz, payload type of retransmissions or 0, and bits: 1 NACK, 2 PLI, 4 FIR,
   * 8 transport-wide feedback. `extensions`, two each: id, extension.
   */
  setPeerCodecs(peer: number, codecs: Uint32Array, extensions: Uint32Array): void;
  /** Bits per second, 0: unlimited. */
  setPacingRate(peer: number, bitrateBps: number): void;
  openTrack(peer: number, options: object): number;
  setTrackPaused(track: number, paused: boolean): void;
  requestKeyFrame(track: number): void;
  closeTrack(track: number): void;
  openSlot(peer: number, options: object): number;
  /** `payloadTypes`: from, to, from, to, ... */
  bindSlot(slot: number, track: number, payloadTypes: Uint8Array): void;
  closeSlot(slot: number): void;
  endpoints(): { protocol: "udp" | "tcp"; family: "IPv4" | "IPv6"; ip: string; port: number }[];
  scheduling(): string[];
  nowMs(): number;
  /** kind 0 peers, 1 tracks, 2 slots; chunks of 256 entries. */
  counterBlock(kind: number, chunk: number): ArrayBuffer | undefined;
  planeCounterBlocks(): ArrayBuffer[];
  /**
   * Whether subscribers' feedback is kept from now on, for `takeFeedback` to copy into the block that this returns.
   */
  wantFeedback(wanted: boolean): ArrayBuffer | undefined;
  /** Copies what a thread's subscribers reported to the block (native/include/parley/engine/events.h); returns the bytes. */
  takeFeedback(thread: number): number;
  close(): void;
}

export function loadAddon(): NativeAddon;
export function loadTestAddon(): unknown;

/** One side of a PeerConnection as the load client needs it. */
export interface LoadPeerOptions {
  readonly ufrag: string;
  readonly password: string;
  /** DTLS-SRTP number: 1 AES128_CM_SHA1_80, 7 AEAD_AES_128_GCM, 8 AEAD_AES_256_GCM. */
  readonly srtpProfile: number;
  /** Take coalesced packets, as a card with offload hands over. */
  readonly gro: boolean;
}

export interface LoadPublisherOptions extends LoadPeerOptions {
  readonly videoSsrc: number;
  readonly rtxSsrc: number;
  readonly audioSsrc: number;
  readonly profile: "burst" | "spread";
  /** Frames and sounds come so many times as often as a camera's (30 frames, 50 sounds per second); 1 when nothing is said. */
  readonly pace?: number;
}

export interface LoadRemote {
  readonly ip: string;
  readonly port: number;
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256, hexadecimal with colons. */
  readonly fingerprint: string;
}

export interface LoadStates {
  readonly connecting: number;
  readonly connected: number;
  /** Connected, and audio and video have come. */
  readonly withMedia: number;
  readonly failed: number;
}

/** Sums of all subscribers and publishers since `beginWindow`. */
export interface LoadSnapshot {
  /** Media packets authenticated, repaired ones included, each once. */
  readonly distinct: number;
  readonly duplicates: number;
  /** Thrown away on purpose. */
  readonly dropped: number;
  readonly rtxReceived: number;
  readonly repaired: number;
  readonly nackMessages: number;
  readonly nackedPackets: number;
  readonly receiverReports: number;
  readonly transportReports: number;
  readonly senderReports: number;
  readonly keyFrameRequests: number;
  /** Of media packets that came first hand, with header and tag; and their payloads. */
  readonly wireBytes: number;
  readonly payloadBytes: number;
  /** Gaps that are open now. */
  readonly missing: number;
  readonly authenticationFailures: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly latencies: number;
  /** The longest time any subscriber was without a media packet since its first one of the window, up to now. */
  readonly longestGapUs: number;
  /** With `watchFanOut`: from a camera's send call to the kernel's receive time at the last of the viewers, per packet. */
  readonly lastP50Us: number;
  readonly lastP99Us: number;
  readonly lastP999Us: number;
  readonly lastMaxUs: number;
  /** From the first to the last receive time of a frame at any viewer: the burst's own send time. */
  readonly frameP50Us: number;
  readonly frameP99Us: number;
  /** Packets that all viewers got, and packets that some did not get first hand. */
  readonly fanOuts: number;
  readonly incompleteFanOuts: number;
  /** How late the cameras were against their pattern. */
  readonly lateP99Us: number;
  readonly lateMaxUs: number;
  /** Datagrams that the viewers' own sockets lost because this process did not read them in time. */
  readonly overflows: number;
  /** Media packets that publishers sent. */
  readonly published: number;
  readonly publisherNacked: number;
  readonly publisherRetransmitted: number;
  readonly publisherKeyFrameRequests: number;
  readonly publisherTransportReports: number;
  readonly publisherReceiverReports: number;
  readonly connectP50Us: number;
  readonly connectP99Us: number;
}

export interface FloorResult {
  readonly datagrams: number;
  readonly messages: number;
  readonly calls: number;
  readonly errors: number;
  /** User and system time of the sending thread, by the kernel. */
  readonly cpuUs: number;
  readonly elapsedUs: number;
  /** What the sinks took meanwhile, and what their sockets lost. */
  readonly drained: number;
  readonly overflows: number;
  /** Of a relay: datagrams that came in, of those that its cameras sent. */
  readonly received: number;
  readonly offered: number;
}

export interface NativeLoadClient {
  /** For the offers' a=fingerprint, SHA-256. */
  fingerprint(): string;
  /** Only measured subscribers (the default) are in `states` and `snapshot`. */
  addSubscriber(options: LoadPeerOptions, measured?: boolean): number;
  /** SSRC and RTX SSRC (0: audio) of each slot of an answer, one after the other. */
  setSlots(id: number, ssrcs: readonly number[]): void;
  addPublisher(options: LoadPublisherOptions): number;
  /** 0 or an errno. */
  connect(id: number, remote: LoadRemote): number;
  remove(id: number): void;
  state(id: number): "new" | "checking" | "handshaking" | "connected" | "failed" | "closed";
  setDropRatio(ratio: number): void;
  setSending(sending: boolean): void;
  /** Real-time scheduling for the cameras' thread; false: not allowed. */
  raisePublishers(): boolean;
  /** Every packet of every camera goes to so many viewers; 0: not watched. */
  watchFanOut(viewers: number): void;
  /** One way of a line of memory between two cores, just now; 0: there is one core, or another program was in the way. Takes milliseconds. */
  coreDistanceNs(): number;
  beginWindow(): void;
  states(): LoadStates;
  snapshot(): LoadSnapshot;
  openFloor(ip: string, sinks: number, gro: boolean): boolean;
  startFloor(options: {
    readonly mode: "segments" | "sendto";
    readonly profile: "burst" | "spread";
    readonly pace: number;
    readonly overheadBytes: number;
    readonly durationMs: number;
  }): boolean;
  floorRunning(): boolean;
  finishFloor(): FloorResult;
  /** The floor of meetings: `people` in each, all send and all receive; one person each: receives only. */
  openRelay(ip: string, people: number, meetings: number, gro: boolean): boolean;
  startRelay(options: {
    readonly profile: "burst" | "spread";
    readonly pace: number;
    readonly overheadBytes: number;
    readonly durationMs: number;
    /** `schedule`: wakes when a frame's last packet is due; `arrival`: blocks in recvmmsg. */
    readonly wait: "schedule" | "arrival";
  }): boolean;
  relayRunning(): boolean;
  finishRelay(): FloorResult;
  close(): void;
}

export function loadLoadClient(): { readonly LoadClient: new () => NativeLoadClient };
