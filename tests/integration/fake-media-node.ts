import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { subjects, type Bus, type Clock, type Subscription, type Timer } from "@parley/foundation";
import {
  NodeAnnouncementSchema,
  SessionGrantSchema,
  SessionState,
  SessionStatusSchema,
  StandingGrantsSchema,
  type SessionGrant,
} from "@parley/protocol";

/** A media node without media: announces itself, keeps the grants it gets, acknowledges them, and says what a test tells it to. */
export class FakeMediaNode {
  readonly nodeId: string;
  bootId: bigint;
  /** The newest grant of each session, closed ones too. */
  readonly grants = new Map<string, SessionGrant>();
  received = 0;
  /** Paused: hears and says nothing. */
  #paused: boolean = false;
  readonly #bus: Bus;
  readonly #clock: Clock;
  #subscriptions: Subscription[] = [];
  #timer: Timer | undefined;

  constructor(bus: Bus, clock: Clock, nodeId = "media-1", bootId = 7n) {
    this.#bus = bus;
    this.#clock = clock;
    this.nodeId = nodeId;
    this.bootId = bootId;
  }

  start(): void {
    this.#subscriptions = [
      this.#bus.subscribe(subjects.mediaGrant(this.nodeId), ({ payload }) => this.#take(payload)),
      this.#bus.subscribe(subjects.mediaStanding(this.nodeId), ({ payload }) => this.#confirm(payload)),
      this.#bus.subscribe(subjects.mediaGrantsWanted, () => {
        for (const grant of this.grants.values()) {
          if (!grant.closed) this.#bus.publish(subjects.mediaGrantsHeld, toBinary(SessionGrantSchema, grant));
        }
      }),
    ];
    this.#timer = this.#clock.every(250, () => this.#announce());
    this.#announce();
  }

  stop(): void {
    this.#timer?.cancel();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#announce();
  }

  /** The living sessions of a room. */
  sessions(roomId?: string): SessionGrant[] {
    return [...this.grants.values()].filter(
      (grant) => !grant.closed && (roomId === undefined || grant.roomId === roomId),
    );
  }

  /** Tells signaling how a session is. */
  report(
    grant: SessionGrant,
    fields: Exclude<MessageInitShape<typeof SessionStatusSchema>, { $typeName: string }>,
  ): void {
    const { appId, roomId, sessionId } = grant;
    const status = create(SessionStatusSchema, {
      appId,
      roomId,
      sessionId,
      nodeId: this.nodeId,
      nodeBootId: this.bootId,
      acknowledgedRevision: this.grants.get(sessionId)?.revision ?? 0n,
      state: SessionState.CONNECTED,
      ...fields,
    });
    this.#bus.publish(subjects.mediaStatus(appId, roomId), toBinary(SessionStatusSchema, status));
  }

  #take(payload: Uint8Array): void {
    if (this.#paused) return;
    this.received += 1;
    const grant = fromBinary(SessionGrantSchema, payload);
    const before = this.grants.get(grant.sessionId);
    if (before === undefined || before.revision < grant.revision) this.grants.set(grant.sessionId, grant);
    this.report(grant, { state: grant.closed ? SessionState.CLOSED : SessionState.NEW });
  }

  #confirm(payload: Uint8Array): void {
    if (this.#paused) return;
    for (const { appId, roomId, sessions } of fromBinary(StandingGrantsSchema, payload).rooms) {
      for (const { sessionId } of sessions) {
        if (this.grants.has(sessionId)) continue;
        this.report(create(SessionGrantSchema, { appId, roomId, sessionId }), { state: SessionState.UNSPECIFIED });
      }
    }
  }

  #announce(): void {
    if (this.#paused) return;
    const announcement = create(NodeAnnouncementSchema, {
      nodeId: this.nodeId,
      bootId: this.bootId,
      addresses: [{ ip: "", udpPort: 7882, tcpPort: 7882 }],
      dtlsFingerprint: new Uint8Array(32).fill(0xab),
    });
    this.#bus.publish(subjects.mediaAnnounce, toBinary(NodeAnnouncementSchema, announcement));
  }
}
