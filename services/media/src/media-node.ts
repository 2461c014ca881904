import { create, fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  BindingTable,
  type DtlsCertificate,
  type Grant,
  type GrantHead,
  type GrantVerdict,
  GrantTable,
  type GrantTableOptions,
  DEFAULT_GRANT_TABLE_OPTIONS,
  DEFAULT_SESSION_MACHINE_OPTIONS,
  type MediaPlane,
  type MediaPlaneEvent,
  type OpenGrant,
  type SessionMachineOptions,
  type SrtpProfile,
  parseStun,
} from "@parley/domain-media-control";
import {
  type Bus,
  type Clock,
  FenceGuard,
  type Logger,
  type Metrics,
  type Random,
  type Subscription,
  type Timer,
  subjects,
} from "@parley/foundation";
import {
  encodeMessage,
  AudioLevelsSchema,
  NodeAnnouncementSchema,
  SessionGrantSchema,
  SessionStatusSchema,
  SuccessiveCodec,
  errorNumber,
  GrantsWantedSchema,
  StandingGrantsSchema,
  SessionState,
  type Encoded,
  type SessionGrant,
} from "@parley/protocol";
import { LevelWatch } from "./level-watch.ts";
import { NodeMetrics } from "./node-metrics.ts";
import { type FeedbackFollower, SessionHost } from "./session-host.ts";
import { REPEATS, SessionLoop } from "./session-loop.ts";
import { UnknownUfrags } from "./unknown-ufrags.ts";

/** A media node: keeps its sessions in the state signaling grants, and tells how they are. */
export interface MediaNode {
  /** Fresh at every start; announced, and part of every grant. */
  readonly bootId: bigint;
  readonly sessions: number;
  /** Subscribes and announces. Once. */
  start(): void;
  /** From now on no new session is taken, and announcements say so. Those there are live on. */
  drain(): void;
  /** Says good-bye to every client, reports every session closed, and stops. The plane stays open: its owner closes it afterwards. */
  close(): void;
}

export interface MediaNodeDeps {
  readonly nodeId: string;
  readonly plane: MediaPlane;
  readonly certificate: DtlsCertificate;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: MediaNodeConfig;
  /**
   * Makes whoever estimates a session's bandwidth: told what its subscriber says of the packets it was sent, in the order of the reports, up to 50 ms
   * after they came (they say when). Nobody: it is not even kept.
   */
  readonly followFeedback?: (sessionId: string) => FeedbackFollower;
}

export interface MediaNodeConfig {
  /** What answers may name; an empty `ip` stands for any local address of the machine. */
  readonly addresses: readonly { readonly ip: string; readonly udpPort: number; readonly tcpPort: number }[];
  /** The machine's addresses other than loopback, when the data plane listens on all of them. */
  readonly localIps?: readonly string[];
  /** In order of preference. Default: GCM first, which costs about 1 us per packet less than CTR with HMAC-SHA1. */
  readonly srtpProfiles?: readonly SrtpProfile[];
  readonly session?: Partial<SessionMachineOptions>;
  readonly grants?: Partial<GrantTableOptions>;
}

/** Announced this often, and forgotten by others after three times that (architecture.md, "Bus"). */
const ANNOUNCE_MS = 250;
/** One timer serves all sessions: each step takes one bucket of them, so a session has its turn every second. */
const SWEEP_MS = 100;
const BUCKETS = 10;
/** Every so many steps it is told what slots show and which revisions are applied: signaling waits a second for that. */
const SOON_STEPS = 2;
/** Feedback comes ten times a second from each subscriber, and an estimator decides a few times a second. Every other time shares its wake-up. */
const FEEDBACK_MS = 50;
/** Who speaks is to be heard within 300 ms: the level takes about 100 to rise, this is the rest but for the way. */
const LEVELS_MS = 100;

const DEFAULT_PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_SHA1_80"];

export function createMediaNode(deps: MediaNodeDeps): MediaNode {
  return new Node(deps);
}

class Node implements MediaNode {
  readonly bootId: bigint;
  readonly #deps: MediaNodeDeps;
  readonly #grants: GrantTable;
  readonly #grantOptions: GrantTableOptions;
  readonly #loop: SessionLoop;
  readonly #levels: LevelWatch;
  readonly #unknown: UnknownUfrags;
  readonly #fences = new FenceGuard();
  readonly #codec = new SuccessiveCodec(SessionGrantSchema);
  readonly #metrics: NodeMetrics;
  readonly #hosts = new Map<string, SessionHost>();
  readonly #buckets: readonly Set<SessionHost>[] = Array.from({ length: BUCKETS }, () => new Set());
  #subscriptions: Subscription[] = [];
  #timers: Timer[] = [];
  #step = 0;
  #opened = 0;

  constructor(deps: MediaNodeDeps) {
    this.#deps = deps;
    const { plane, clock, random, logger, config } = deps;
    this.bootId = (BigInt(random.uint32()) << 32n) | BigInt(random.uint32() || 1);
    this.#grantOptions = { ...DEFAULT_GRANT_TABLE_OPTIONS, ...config.grants };
    this.#grants = new GrantTable(this.bootId, this.#grantOptions);
    this.#metrics = new NodeMetrics(deps.metrics, plane, () => this.#hosts.values());
    this.#levels = new LevelWatch(plane);
    this.#loop = new SessionLoop({
      plane,
      levels: this.#levels,
      clock,
      bindings: new BindingTable(),
      certificate: deps.certificate,
      ...(deps.followFeedback === undefined ? {} : { followFeedback: deps.followFeedback }),
      srtpProfiles: config.srtpProfiles ?? DEFAULT_PROFILES,
      publishStatus: (host) => this.#publishStatus(host),
      logger,
    });
    this.#unknown = new UnknownUfrags({
      nodeId: deps.nodeId,
      bus: deps.bus,
      clock,
      onGrant: (payload) => this.#takeGrant(payload),
      replay: (ufrag, event) => this.#takeStun(ufrag, event),
    });
  }

  get sessions(): number {
    return this.#hosts.size;
  }

  start(): void {
    const { bus, clock, plane, nodeId } = this.#deps;
    plane.onEvents((events) => this.#takeEvents(events));
    this.#subscriptions = [
      bus.subscribe(subjects.mediaGrant(nodeId), ({ payload }) => this.#takeGrant(payload)),
      bus.subscribe(subjects.mediaStanding(nodeId), ({ payload }) => this.#takeStanding(payload)),
      bus.subscribe(subjects.mediaGrantsWanted, ({ payload }) => this.#publishGrants(payload)),
    ];
    this.#timers = [
      clock.every(ANNOUNCE_MS, () => this.#announce()),
      clock.every(SWEEP_MS, () => this.#sweep()),
      clock.every(LEVELS_MS, () => this.#publishLevels()),
    ];
    if (this.#deps.followFeedback !== undefined) {
      this.#timers.push(clock.every(FEEDBACK_MS, () => plane.takeTransportFeedback()));
    }
    this.#announce();
    this.#deps.logger.info("media node started", { nodeId, bootId: String(this.bootId) });
  }

  drain(): void {
    this.#grants.draining = true;
    this.#announce();
    this.#deps.logger.info("media node drains", { sessions: this.#hosts.size });
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    for (const timer of this.#timers) timer.cancel();
    this.#subscriptions = [];
    this.#timers = [];
    this.#unknown.close();
    for (const host of [...this.#hosts.values()]) this.#endSession(host);
    this.#loop.flush();
    this.#deps.logger.info("media node closed");
  }

  #announce(): void {
    const { nodeId, certificate, config, bus } = this.#deps;
    const announcement = create(NodeAnnouncementSchema, {
      nodeId,
      bootId: this.bootId,
      addresses: config.addresses.map(({ ip, udpPort, tcpPort }) => ({ ip, udpPort, tcpPort })),
      dtlsFingerprint: certificate.fingerprint,
      sessions: this.#hosts.size,
      load: Math.min(1, this.#hosts.size / this.#grantOptions.maxSessions),
      draining: this.#grants.draining,
      localIps: [...(config.localIps ?? [])],
    });
    bus.publish(subjects.mediaAnnounce, encodeMessage(NodeAnnouncementSchema, announcement));
  }

  #takeGrant(payload: Uint8Array): void {
    const grant = this.#readGrant(payload);
    if (grant === undefined) {
      this.#metrics.countGrant("malformed");
      return;
    }
    if (!this.#fences.admits(grant.fence)) {
      this.#metrics.countGrant("fenced");
      return;
    }
    const verdict = this.#grants.accept(grant, this.#deps.clock.monoMs());
    this.#metrics.countGrant(verdict.type);
    const host = this.#hosts.get(grant.sessionId);
    switch (verdict.type) {
      case "open":
        this.#openSession(verdict.grant, { message: grant, bytes: payload });
        break;
      case "apply":
        if (host !== undefined) {
          host.granted = { message: grant, bytes: payload };
          this.#loop.handle(host, { type: "grant", grant: verdict.grant });
          if (verdict.grant.closed) this.#removeHost(host);
          else this.#replayChecks(verdict.grant);
        }
        break;
      case "repeat":
        if (host !== undefined) this.#loop.touch(host);
        break;
      case "refuse":
        this.#publishRefusal(grant, verdict);
        break;
      case "lacking":
      case "stands":
      case "stale":
      case "malformed":
        break;
    }
    this.#loop.flush();
  }

  /** What signaling believes to be here: only where it is wrong there is something to say. */
  #takeStanding(payload: Uint8Array): void {
    const standing = read(StandingGrantsSchema, payload);
    if (standing === undefined) {
      this.#metrics.countGrant("malformed");
      return;
    }
    const { nodeBootId, fence, rooms } = standing;
    if (!this.#fences.admits(fence)) {
      this.#metrics.countGrant("fenced");
      return;
    }
    const nowMs = this.#deps.clock.monoMs();
    for (const { appId, roomId, sessions } of rooms) {
      for (const { sessionId, revision } of sessions) {
        const head = { appId, roomId, sessionId, revision, nodeBootId };
        const verdict = this.#grants.confirm(head, nowMs);
        this.#metrics.countGrant(verdict.type);
        if (verdict.type === "refuse") this.#publishRefusal(head, verdict);
        else if (verdict.type === "lacking") this.#sayLacking(head);
      }
    }
    this.#loop.flush();
  }

  #sayLacking(head: GrantHead): void {
    const host = this.#hosts.get(head.sessionId);
    if (host !== undefined) this.#loop.touch(host);
    else this.#publishLack(head);
  }

  /** Undefined: not a SessionGrant. The bus is ours, but a message may be of another version. */
  #readGrant(payload: Uint8Array): SessionGrant | undefined {
    try {
      return this.#codec.decode(payload, ({ sessionId }) => this.#hosts.get(sessionId)?.granted);
    } catch {
      return undefined;
    }
  }

  #openSession(grant: OpenGrant, granted: Encoded<SessionGrant>): void {
    const options = { ...DEFAULT_SESSION_MACHINE_OPTIONS, ...this.#deps.config.session };
    const host = SessionHost.create(grant, granted, options);
    this.#hosts.set(grant.sessionId, host);
    host.bucket = this.#opened++ % BUCKETS;
    this.#buckets[host.bucket]?.add(host);
    this.#loop.handle(host, { type: "grant", grant });
    this.#replayChecks(grant);
  }

  /** Checks that came before this grant. */
  #replayChecks({ ice }: Grant): void {
    if (ice !== undefined) this.#unknown.granted([ice.localUfrag, ice.previousLocalUfrag]);
  }

  #endSession(host: SessionHost): void {
    this.#loop.handle(host, { type: "grant", grant: { ...host.machine.grant, closed: true } });
    this.#removeHost(host);
  }

  #removeHost(host: SessionHost): void {
    this.#hosts.delete(host.sessionId);
    this.#buckets[host.bucket]?.delete(host);
    this.#loop.forget(host);
  }

  #takeEvents(events: readonly MediaPlaneEvent[]): void {
    for (const event of events) {
      if (event.type === "stun") this.#routeStun(event);
      else this.#loop.takeEvent(event);
    }
    this.#loop.flush();
  }

  #routeStun(event: Extract<MediaPlaneEvent, { type: "stun" }>): void {
    const username = parseStun(event.datagram)?.username;
    const colon = username?.indexOf(":") ?? -1;
    if (username === undefined || colon <= 0) return;
    this.#takeStun(username.slice(0, colon), event);
  }

  #takeStun(ufrag: string, event: Extract<MediaPlaneEvent, { type: "stun" }>): void {
    const sessionId = this.#grants.sessionOfUfrag(ufrag);
    const host = sessionId === undefined ? undefined : this.#hosts.get(sessionId);
    if (host !== undefined) {
      this.#loop.handle(host, { type: "stun", address: event.address, datagram: event.datagram });
    } else if (!this.#grants.draining) {
      this.#metrics.unknownUfrags.add(1);
      this.#unknown.ask(ufrag, event);
    }
  }

  #sweep(): void {
    const nowMs = this.#deps.clock.monoMs();
    this.#loop.runTimers();
    this.#step = (this.#step + 1) % BUCKETS;
    this.#loop.sample(this.#buckets[this.#step] ?? []);
    if (this.#step === 0) {
      for (const sessionId of this.#grants.sweep(nowMs)) {
        const host = this.#hosts.get(sessionId);
        if (host !== undefined) this.#endSession(host);
      }
      this.#unknown.sweep(nowMs);
    }
    if (this.#step % SOON_STEPS === 0) this.#loop.flushSoon();
    else this.#loop.flush();
  }

  #publishLevels(): void {
    const { bus, nodeId } = this.#deps;
    const levels = this.#levels.changes({ nodeId, nodeBootId: this.bootId });
    if (levels !== undefined) bus.publish(subjects.mediaLevels, encodeMessage(AudioLevelsSchema, levels));
  }

  #publishGrants(payload: Uint8Array): void {
    // A new owner of the rooms asks: from now on the former one is not listened to.
    const wanted = read(GrantsWantedSchema, payload);
    if (wanted === undefined || !this.#fences.admits(wanted.fence)) return;
    for (const host of this.#hosts.values()) {
      this.#deps.bus.publish(subjects.mediaGrantsHeld, host.granted.bytes);
      // It does not know how they are either, and hears nothing before its rooms stand, some two seconds from now.
      host.repeatsLeft = REPEATS + 1;
    }
  }

  #publishStatus(host: SessionHost): void {
    const { appId, roomId, sessionId } = host.machine.grant;
    this.#send(appId, roomId, { ...host.machine.report(), sessionId });
  }

  #publishRefusal({ appId, roomId, sessionId }: GrantHead, refusal: Extract<GrantVerdict, { type: "refuse" }>): void {
    const { state, reason, revision } = refusal;
    this.#send(appId, roomId, { sessionId, acknowledgedRevision: revision, state, reason: errorNumber(reason) });
  }

  #publishLack({ appId, roomId, sessionId }: GrantHead): void {
    this.#send(appId, roomId, { sessionId, acknowledgedRevision: 0n, state: SessionState.UNSPECIFIED });
  }

  #send(appId: string, roomId: string, fields: Parameters<typeof create<typeof SessionStatusSchema>>[1]): void {
    const { nodeId, bus } = this.#deps;
    const status = create(SessionStatusSchema, { ...fields, appId, roomId, nodeId, nodeBootId: this.bootId });
    bus.publish(subjects.mediaStatus(appId, roomId), encodeMessage(SessionStatusSchema, status));
  }
}

/** Undefined: it cannot be read. */
function read<S extends DescMessage>(schema: S, payload: Uint8Array): MessageShape<S> | undefined {
  try {
    return fromBinary(schema, payload);
  } catch {
    return undefined;
  }
}
