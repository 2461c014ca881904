import { type MessageInitShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createLocalBus } from "@parley/adapter-bus-local";
import { type PathAddress, makePath, writeStun } from "@parley/domain-media-control";
import { type Metrics, subjects } from "@parley/foundation";
import {
  Codec,
  HeaderExtension,
  MediaKind,
  type NodeAnnouncement,
  NodeAnnouncementSchema,
  type SessionGrant,
  SessionGrantSchema,
  type SessionStatus,
  SessionStatusSchema,
  StandingGrantsSchema,
} from "@parley/protocol";
import {
  FakeMediaPlane,
  type FakePeer,
  type FakeSlot,
  type FakeTrack,
  type KeptFeedback,
  SeededRandom,
  VirtualClock,
  fakeCertificate,
  keptFeedback,
  nullLogger,
} from "@parley/testing";
import { type MediaNode, type MediaNodeConfig, createMediaNode } from "../media-node.ts";

/** Fields of a grant; what is left out has defaults made of the session id. */
export type GrantInit = Partial<Omit<MessageInitShape<typeof SessionGrantSchema>, "$typeName" | "$unknown">>;

/** Metrics that keep numbers, by name and labels. */
export class RecordingMetrics implements Metrics {
  readonly values = new Map<string, number>();
  readonly #refreshers: (() => void)[] = [];

  counter({ name }: { readonly name: string }): { add: (amount: number, labels?: readonly string[]) => void } {
    return { add: (amount, labels) => this.#set(name, labels, (before) => before + amount) };
  }

  gauge({ name }: { readonly name: string }): { set: (value: number, labels?: readonly string[]) => void } {
    return { set: (value, labels) => this.#set(name, labels, () => value) };
  }

  histogram(): { observe: () => void } {
    return { observe: () => undefined };
  }

  onCollect(refresh: () => void): void {
    this.#refreshers.push(refresh);
  }

  async collect(): Promise<{ contentType: string; text: string }> {
    return { contentType: "text/plain", text: "" };
  }

  read(name: string, ...labels: readonly string[]): number {
    for (const refresh of this.#refreshers) refresh();
    return this.values.get([name, ...labels].join(" ")) ?? 0;
  }

  #set(name: string, labels: readonly string[] | undefined, change: (before: number) => number): void {
    const key = [name, ...(labels ?? [])].join(" ");
    this.values.set(key, change(this.values.get(key) ?? 0));
  }
}

/** A node on a fake data plane, a bus in the process and a virtual clock, with a signaling side to play. */
export class World {
  readonly clock = new VirtualClock();
  readonly bus = createLocalBus({ clock: this.clock, logger: nullLogger });
  readonly plane = new FakeMediaPlane(this.clock);
  readonly metrics = new RecordingMetrics();
  readonly statuses: SessionStatus[] = [];
  readonly announcements: NodeAnnouncement[] = [];
  readonly held: SessionGrant[] = [];
  readonly feedback: { readonly sessionId: string; readonly told: KeptFeedback }[] = [];
  /** Sessions whose feedback has ended. */
  readonly unfollowed: string[] = [];
  readonly node: MediaNode;

  constructor(config: Partial<MediaNodeConfig> = {}) {
    this.bus.subscribe(subjects.mediaStatusAll, ({ payload }) => {
      this.statuses.push(fromBinary(SessionStatusSchema, payload));
    });
    this.bus.subscribe(subjects.mediaAnnounce, ({ payload }) => {
      this.announcements.push(fromBinary(NodeAnnouncementSchema, payload));
    });
    this.bus.subscribe(subjects.mediaGrantsHeld, ({ payload }) => {
      this.held.push(fromBinary(SessionGrantSchema, payload));
    });
    this.node = createMediaNode({
      nodeId: "node",
      plane: this.plane,
      certificate: fakeCertificate,
      bus: this.bus,
      clock: this.clock,
      random: new SeededRandom(1),
      logger: nullLogger,
      metrics: this.metrics,
      followFeedback: (sessionId) => ({
        take: (told) => void this.feedback.push({ sessionId, told: keptFeedback(told) }),
        close: () => void this.unfollowed.push(sessionId),
      }),
      config: { addresses: [{ ip: "192.0.2.1", udpPort: 3478, tcpPort: 3478 }], ...config },
    });
    this.node.start();
  }

  /** Lets the bus deliver what was published. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time passes in steps, with deliveries between. */
  async pass(durationMs: number): Promise<void> {
    const endsAtMs = this.clock.monoMs() + durationMs;
    while (this.clock.monoMs() < endsAtMs) {
      this.clock.advance(Math.min(50, endsAtMs - this.clock.monoMs()));
      await this.settle();
    }
  }

  /** So much later that the node has told what is in no hurry. */
  async soon(): Promise<void> {
    await this.pass(200);
  }

  async grant(init: GrantInit): Promise<void> {
    this.bus.publish(subjects.mediaGrant("node"), this.grantBytes(init));
    await this.settle();
  }

  /** Signaling still wants it. */
  async confirm(named: { sessionId: string; revision: bigint; nodeBootId?: bigint }): Promise<void> {
    const { sessionId, revision, nodeBootId = this.node.bootId } = named;
    const standing = { nodeBootId, rooms: [{ appId: "app", roomId: "room", sessions: [{ sessionId, revision }] }] };
    const payload = toBinary(StandingGrantsSchema, create(StandingGrantsSchema, standing));
    this.bus.publish(subjects.mediaStanding("node"), payload);
    await this.settle();
  }

  grantBytes(init: GrantInit): Uint8Array<ArrayBuffer> {
    return toBinary(
      SessionGrantSchema,
      create(SessionGrantSchema, { ...defaults(init), nodeBootId: this.node.bootId, ...init }),
    );
  }

  /** The last status of a session. */
  status(sessionId: string): SessionStatus {
    const status = this.statuses.findLast((each) => each.sessionId === sessionId);
    assertThere(status, `status of ${sessionId}`);
    return status;
  }

  statusCount(sessionId: string): number {
    return this.statuses.filter((each) => each.sessionId === sessionId).length;
  }

  /** The client's check, nominating, as the plane would hand it up. */
  check(sessionId: string, address: PathAddress = pathOf(5000), nominate = true): void {
    const datagram = writeStun(
      {
        class: "request",
        transactionId: new Uint8Array(12),
        username: `${sessionId}-local:remo`,
        priority: 1,
        useCandidate: nominate,
        iceControlling: 1n,
      },
      passwordOf(sessionId),
    );
    this.plane.emit({ type: "stun", address, datagram });
  }

  dtls(sessionId: string, text: string, address: PathAddress = pathOf(5000)): void {
    const datagram = new TextEncoder().encode(text);
    this.plane.emit({ type: "dtls", peer: this.peer(sessionId).handle, address, datagram });
  }

  /** Check, handshake, keys. */
  async connect(sessionId: string, address: PathAddress = pathOf(5000)): Promise<void> {
    this.check(sessionId, address);
    this.dtls(sessionId, "hello", address);
    this.dtls(sessionId, "finished", address);
    await this.settle();
  }

  /** Consent goes on: the plane authenticates checks. */
  keepAlive(sessionId: string): void {
    const peer = this.peer(sessionId);
    const rxPackets = peer.counters.rxPackets + 1;
    peer.counters = { ...peer.counters, lastConsentMonoMs: this.plane.nowMs(), rxPackets };
  }

  peer(sessionId: string): FakePeer {
    const peer = [...this.plane.peers.values()].find((each) => each.ice.localUfrag.startsWith(`${sessionId}-`));
    assertThere(peer, `peer of ${sessionId}`);
    return peer;
  }

  track(sessionId: string, mid: string): FakeTrack {
    const { handle } = this.peer(sessionId);
    const found = [...this.plane.tracks.values()].find((each) => each.peer === handle && each.options.mid === mid);
    assertThere(found, `track ${mid} of ${sessionId}`);
    return found;
  }

  slot(sessionId: string, mid: string): FakeSlot {
    const { handle } = this.peer(sessionId);
    const found = [...this.plane.slots.values()].find((each) => each.peer === handle && each.options.mid === mid);
    assertThere(found, `slot ${mid} of ${sessionId}`);
    return found;
  }

  sentTexts(): string[] {
    return this.plane.sent.map(({ datagram }) => new TextDecoder().decode(datagram));
  }

  close(): void {
    this.node.close();
    void this.bus.close();
  }
}

function assertThere<T>(value: T | undefined, what: string): asserts value is T {
  if (value === undefined) throw new Error(`there is no ${what}`);
}

function passwordOf(sessionId: string): string {
  return `${sessionId}-password-password-1`;
}

function defaults({ sessionId = "s" }: GrantInit): GrantInit {
  return {
    appId: "app",
    roomId: "room",
    sessionId,
    revision: 1n,
    ice: {
      localUfrag: `${sessionId}-local`,
      localPassword: passwordOf(sessionId),
      remoteUfrag: "remo",
      remotePassword: "remotepassword",
    },
    dtls: { remoteFingerprints: [{ algorithm: "sha-256", value: new Uint8Array(32) }], localActive: false },
    codecs: [vp8, opus],
    extensions: [{ id: 1, extension: HeaderExtension.MID }],
  };
}

export const vp8 = { payloadType: 96, codec: Codec.VP8, clockRateHz: 90000, channels: 1, nack: true, pli: true };
export const opus = { payloadType: 111, codec: Codec.OPUS, clockRateHz: 48000, channels: 2 };
export const av1 = { payloadType: 45, codec: Codec.AV1, clockRateHz: 90000, channels: 1, nack: true, pli: true };

export function videoTrack(streamId: number, more: { paused?: boolean; payloadTypes?: number[] } = {}) {
  const base = { mid: "v", kind: MediaKind.VIDEO, streamId, payloadTypes: [96], encodings: [{ ssrc: 1, rtxSsrc: 2 }] };
  return { ...base, ...more };
}

export function videoSlot(publisher?: { sessionId: string; streamId: number; mid?: string }) {
  const base = { mid: "sv", kind: MediaKind.VIDEO, ssrc: 1000, rtxSsrc: 1001, payloadTypes: [96] };
  if (publisher === undefined) return base;
  const { sessionId, streamId, mid = "v" } = publisher;
  return { ...base, binding: { publisherSessionId: sessionId, publisherMid: mid, streamId } };
}

export function pathOf(port: number): PathAddress {
  return makePath({
    protocol: "udp",
    family: "IPv4",
    worker: 0,
    remoteIp: new Uint8Array([192, 0, 2, 7]),
    remotePort: port,
    localIp: new Uint8Array([192, 0, 2, 1]),
    localPort: 3478,
    connection: 0,
    bind: 0,
    scopeId: 0,
  });
}
