import type { Codec, HeaderExtension, MediaKind } from "@parley/protocol";

/**
 * The data plane as the control part sees it: commands down, events up, counters beside. Never a call per media packet.
 *
 * Commands are asynchronous and ordered: they take effect on the data plane's threads in the order of the calls, within a
 * millisecond, and never block. Handles are numbers that are never used again; a command with a handle that is closed or unknown is
 * ignored and counted (`counters.staleCommands`), because closing races with everything else.
 *
 * Closing a peer closes its paths, tracks and slots; closing a track unbinds its slots. The caller owns all handles and closes the
 * peers; `close()` of the plane ends the threads, after which every call is a no-op and no event comes.
 */
export interface MediaPlane {
  /** What was really bound, after start. */
  readonly endpoints: readonly PlaneEndpoint[];
  readonly threads: number;

  /** Called with each batch of events, in order. Set once, before the first peer. */
  onEvents(handler: (events: readonly MediaPlaneEvent[]) => void): void;
  /**
   * Who is told of a subscriber's transport-wide feedback by `takeTransportFeedback`, until the peer is closed; undefined: nobody, as at first. Then it
   * goes into the counters only.
   */
  sendFeedbackTo(peer: PeerHandle, sink: FeedbackSink | undefined): void;
  /**
   * Hands over what came since the last time, each subscriber's in the order of its reports. Feedback never wakes this thread by itself:
   * whoever wants it looks, ten times a second or oftener, or what is too much for a quarter of a second is dropped (`counters.feedbackDropped`).
   */
  takeTransportFeedback(): void;

  /** A PeerConnection with its ICE credentials. It has no address yet. */
  openPeer(options: PeerOptions): PeerHandle;
  /**
   * New credentials (ICE restart). `previous` ones are still answered on known paths until `retirePreviousIce`.
   */
  restartIce(peer: PeerHandle, ice: PlaneIce): void;
  retirePreviousIce(peer: PeerHandle): void;
  /** From now on packets from `address` belong to `peer`, and checks from there are answered natively. At most 8 paths a peer; the oldest unselected goes. */
  addPath(peer: PeerHandle, address: PathAddress): void;
  /** Everything for `peer` goes to `address` (which must be one of its paths). The peer moves to the thread of its first selected path. */
  selectPath(peer: PeerHandle, address: PathAddress): void;
  /** One datagram as it is (STUN answers, DTLS), from the local address that `address` names. */
  sendTo(address: PathAddress, datagram: Uint8Array): void;

  /** Takes the keys out of a connected transport, natively; media flows from here on. The transport may be closed afterwards. */
  setSrtpKeys(peer: PeerHandle, transport: DtlsTransport): void;
  closePeer(peer: PeerHandle): void;

  /** Payload types and extension ids of the peer, both directions (they are unique per BUNDLE group). Replaces what was there. */
  setPeerCodecs(peer: PeerHandle, codecs: readonly PlaneCodec[], extensions: readonly PlaneExtension[]): void;

  /**
   * What the peer is sent at most, in bits per second with headers; 0: unlimited, the initial state. Desired state: the last call counts.
   *
   * Below the rate nothing is delayed: 40 ms of it may leave at once. Above it, sound leaves at once and is paid for afterwards;
   * repetitions and then video wait in order. When 2 s or 512 KiB wait, the slot with the most of it is given up until its next key frame,
   * which is asked for; its numbers go on without a gap (`pacingDrops`).
   */
  setPacingRate(peer: PeerHandle, bitrateBps: number): void;

  openTrack(peer: PeerHandle, options: TrackOptions): TrackHandle;
  /** A paused track is received and counted, and forwarded to nobody. */
  setTrackPaused(track: TrackHandle, paused: boolean): void;
  /**
   * Asks the publisher for a key frame, merged with the requests of subscribers and limited to one per `keyFrameIntervalMs` (a request within
   * that time is sent at its end).
   */
  requestKeyFrame(track: TrackHandle): void;
  closeTrack(track: TrackHandle): void;

  openSlot(peer: PeerHandle, options: SlotOptions): SlotHandle;
  /**
   * Binds a slot to a track (undefined: to nothing). Video starts, and switches, at the next key frame, which is asked for natively;
   * until then the old track goes on. Audio switches at once. Unlisted incoming payload types are not forwarded.
   */
  bindSlot(slot: SlotHandle, track: TrackHandle | undefined, payloadTypes: readonly PayloadTypeMapping[]): void;
  closeSlot(slot: SlotHandle): void;

  /** A handshake object; it is not tied to a peer until {@link setSrtpKeys}. */
  createDtls(options: DtlsOptions): DtlsTransport;

  readonly counters: PlaneCounters;
  peerCounters(peer: PeerHandle): PeerCounters | undefined;
  trackCounters(track: TrackHandle): TrackCounters | undefined;
  slotCounters(slot: SlotHandle): SlotCounters | undefined;

  /** Monotonic milliseconds of the data plane's clock (CLOCK_MONOTONIC), the one in counters and events. */
  nowMs(): number;
  /** Stops the threads, closes the sockets, frees everything. Resolves when the last thread has been joined. */
  close(): Promise<void>;
}

export type PeerHandle = number & { readonly __peer: unique symbol };
export type TrackHandle = number & { readonly __track: unique symbol };
export type SlotHandle = number & { readonly __slot: unique symbol };

/**
 * Opaque bytes that name a path: protocol, local and remote address and port, receiving thread, TCP connection. Equal paths have equal
 * bytes. `describePath` (path-address.ts) reads them.
 */
export type PathAddress = Uint8Array & { readonly __path: unique symbol };

export interface PlaneEndpoint {
  readonly protocol: "udp" | "tcp";
  readonly family: "IPv4" | "IPv6";
  readonly ip: string;
  readonly port: number;
}

export interface PlaneIce {
  readonly localUfrag: string;
  readonly localPassword: string;
  /** Empty: not known; the check's USERNAME is then only compared up to the colon. */
  readonly remoteUfrag: string;
}

export interface PeerOptions {
  readonly ice: PlaneIce;
}

export interface PlaneCodec {
  readonly payloadType: number;
  readonly codec: Codec;
  readonly clockRateHz: number;
  /** 0: none. */
  readonly rtxPayloadType: number;
  readonly nack: boolean;
  readonly pli: boolean;
  readonly fir: boolean;
  readonly transportCc: boolean;
}

export interface PlaneExtension {
  readonly id: number;
  readonly extension: HeaderExtension;
}

export interface TrackOptions {
  readonly mid: string;
  readonly kind: MediaKind;
  /** Written as CSRC into every forwarded packet. Not 0. */
  readonly streamId: number;
  readonly payloadTypes: readonly number[];
  /** Declared SSRCs; others are recognised by MID, then by payload type, when exactly one track of the peer has it. */
  readonly encodings: readonly { readonly ssrc: number; readonly rtxSsrc: number; readonly rid: string }[];
  /** At most one request in this time reaches the publisher. */
  readonly keyFrameIntervalMs: number;
}

export interface SlotOptions {
  readonly mid: string;
  readonly kind: MediaKind;
  readonly ssrc: number;
  /** 0: no retransmission stream; retransmissions then repeat the packet itself. */
  readonly rtxSsrc: number;
  readonly clockRateHz: number;
}

export interface PayloadTypeMapping {
  /** The publisher's payload type. */
  readonly from: number;
  /** The subscriber's. */
  readonly to: number;
}

export interface DtlsOptions {
  /** Made once per certificate by the adapter's `loadCertificate`. */
  readonly certificate: DtlsCertificate;
  readonly role: "server" | "client";
  /** The peer's certificate must have one of these; else the handshake fails with `fingerprint-mismatch`. */
  readonly remoteFingerprints: readonly { readonly algorithm: string; readonly value: Uint8Array }[];
  /** In order of preference. */
  readonly srtpProfiles: readonly SrtpProfile[];
}

export type SrtpProfile = "AEAD_AES_128_GCM" | "AEAD_AES_256_GCM" | "AES128_CM_SHA1_80";

/** A key pair with its certificate, loaded natively. */
export interface DtlsCertificate {
  /** SHA-256 of the DER certificate. */
  readonly fingerprint: Uint8Array;
}

/** DTLS 1.2 (RFC 6347) with use_srtp (RFC 5764), sans-IO. */
export interface DtlsTransport {
  /** Feeds one received datagram (an empty one starts a client). The result's datagrams are to be sent at once, each by itself. */
  receive(datagram: Uint8Array): DtlsResult;
  /** To be called when `timeoutMs` of the last result has passed: retransmits the flight. */
  timeout(): DtlsResult;
  /** Sends close_notify if connected; frees the native object. */
  close(): DtlsResult;
}

export interface DtlsResult {
  readonly state: "handshaking" | "connected" | "closed" | "failed";
  readonly datagrams: readonly Uint8Array[];
  /** When to call `timeout`, from now; undefined: no timer. */
  readonly timeoutMs: number | undefined;
  /** For `failed`. */
  readonly error?: "fingerprint-mismatch" | "no-srtp-profile" | "protocol" | "timeout";
  /** For `connected`. */
  readonly srtpProfile?: SrtpProfile;
}

export type MediaPlaneEvent =
  /** A well-formed check whose ufrag has a genuine MAC, from an address that is no path of that ufrag's peer. */
  | { readonly type: "stun"; readonly address: PathAddress; readonly datagram: Uint8Array }
  /** A natively answered check on an unselected path had USE-CANDIDATE. */
  | { readonly type: "nominated"; readonly peer: PeerHandle; readonly address: PathAddress }
  | { readonly type: "dtls"; readonly peer: PeerHandle; readonly address: PathAddress; readonly datagram: Uint8Array }
  /** An SSRC was tied to a track. */
  | { readonly type: "ssrc"; readonly track: TrackHandle; readonly ssrc: number; readonly rid: string }
  /** From now on the slot sends this track (its first packet has left). Told within 50 ms: nobody waits for it. */
  | { readonly type: "slot-started"; readonly slot: SlotHandle; readonly track: TrackHandle }
  /** A TCP connection ended; its paths are gone. */
  | { readonly type: "path-closed"; readonly peer: PeerHandle; readonly address: PathAddress }
  /** RTCP BYE of all of a track's SSRCs. */
  | { readonly type: "track-ended"; readonly track: TrackHandle };

/** Whoever estimates the bandwidth to one subscriber. An object and not a function: thousands of one class cost less than as many closures. */
export interface FeedbackSink {
  take(feedback: TransportFeedback): void;
}

/**
 * A subscriber's transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), reduced by the data plane: the sums of one
 * report, and a line for each burst of packets that is complete. For a bandwidth estimator and for statistics. It lies with those of
 * other peers until it is taken; what the control part is too slow for is dropped and counted (`counters.feedbackDropped`).
 *
 * To be read within the call that it is handed to: it is a view of memory that the next report overwrites. So thousands of reports a
 * second make no garbage.
 */
export interface TransportFeedback {
  readonly peer: PeerHandle;
  /** When the report came, in the clock of {@link MediaPlane.nowMs}. */
  readonly receivedMonoMs: number;
  /**
   * From the sending of the newest packet it tells of until the report came: the round trip and how long the report waited for its turn at
   * the subscriber. 0: all was lost.
   */
  readonly feedbackDelayUs: number;
  /** Packets that arrived, and their bytes with RTP headers and tags. */
  readonly packets: number;
  readonly bytes: number;
  /** Packets told as lost; one that comes after all counts as arrived in a later report. */
  readonly lost: number;
  /** In order of sending. The last burst of a report comes with a later report, when it is known to be complete. */
  readonly groups: PacketGroups;
}

/**
 * Packets that were sent within 5 ms. Deltas are from the group before, between the last packets of each that arrived
 * (draft-ietf-rmcat-gcc-02 5.2): the difference of both is how much the queue on the way has grown.
 */
export interface PacketGroups {
  readonly count: number;
  /** Each of `index` from 0 to `count` - 1. */
  sendDeltaUs(index: number): number;
  receiveDeltaUs(index: number): number;
  /** That arrived. */
  bytes(index: number): number;
  packets(index: number): number;
  lost(index: number): number;
}

/** Monotonic totals unless said otherwise. Each read is a fresh snapshot of shared memory, fields may differ by some packets. */
export interface PlaneCounters {
  readonly rxDatagrams: number;
  readonly rxBytes: number;
  readonly txDatagrams: number;
  readonly txBytes: number;
  /** Calls of sendmmsg and messages in them: with UDP_SEGMENT a message carries several datagrams. */
  readonly sendCalls: number;
  readonly sendMessages: number;
  readonly sendErrors: number;
  /** Datagrams dropped because they came from no known path and were no genuine check. */
  readonly strangers: number;
  readonly forgedUfrags: number;
  readonly malformed: number;
  /** SRTP and SRTCP packets, and checks from another address, that had come before. */
  readonly replayed: number;
  /** SRTP, SRTCP and checks on known paths whose MAC was wrong. */
  readonly unauthenticated: number;
  readonly eventsDropped: number;
  /** Transport-wide feedback that the control part was too slow for. */
  readonly feedbackDropped: number;
  readonly staleCommands: number;
}

export interface PeerCounters {
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** When the last authenticated check came (consent, RFC 7675), 0 never. */
  readonly lastConsentMonoMs: number;
  readonly srtpAuthFailures: number;
  readonly srtpReplays: number;
  /** By RTCP, 0 unknown. */
  readonly rttUs: number;
  readonly twccReportsSent: number;
  readonly twccReportsReceived: number;
  /** By transport-wide feedback: packets that arrived at the peer, their bytes with RTP headers and tags, and packets that did not. */
  readonly deliveredPackets: number;
  readonly deliveredBytes: number;
  readonly undeliveredPackets: number;
  /** Gauge: `feedbackDelayUs` of the last {@link TransportFeedback}, 0 unknown. */
  readonly feedbackDelayUs: number;
  /** Gauge: what waits for its turn ({@link MediaPlane.setPacingRate}). */
  readonly pacedBytes: number;
  /** Gauge: the longest a packet waited within the last full second. */
  readonly pacingDelayUs: number;
  /** Packets that had to wait, and those given up after it. */
  readonly pacedPackets: number;
  readonly pacingDrops: number;
}

export interface TrackCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Still missing after repair. */
  readonly lost: number;
  readonly nacksSent: number;
  readonly rtxReceived: number;
  readonly keyFrames: number;
  readonly keyFrameRequestsSent: number;
  /** Gauge: RFC 3550 interarrival jitter in RTP ticks. */
  readonly jitterRtpTicks: number;
  /** Gauge: payload type of the last packet, 0 before the first. */
  readonly payloadType: number;
  /** Gauge: when the last packet came, 0 never. */
  readonly lastPacketMonoMs: number;
  /** Gauge: smoothed level, 0 (silence) to 127 (loudest), from RFC 6464. */
  readonly audioLevel: number;
}

export interface SlotCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly nacksReceived: number;
  readonly rtxSent: number;
  readonly keyFrameRequestsReceived: number;
  /** Gauge: of the last receiver report, 0 to 1. */
  readonly lossRatio: number;
  /** Gauge: stream id of what is sent now, 0 nothing. */
  readonly streamId: number;
}
