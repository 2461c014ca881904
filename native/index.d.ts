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
  setPeerCodecs(peer: number, codecs: readonly object[], extensions: readonly object[]): void;
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
  close(): void;
}

export function loadAddon(): NativeAddon;
export function loadTestAddon(): unknown;
