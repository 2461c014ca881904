import type { VerifiedToken } from "@parley/domain-access";
import { Connection, UserBudget } from "@parley/domain-connection";
import { randomId, toBase64url } from "@parley/foundation";
import type { Connect } from "@parley/protocol";
import type { GatewayConfig } from "./config.ts";
import type { Deliveries } from "./deliveries.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import { HeldConnection } from "./held-connection.ts";
import type { GatewayDeps } from "./ports.ts";
import { announceGone } from "./presence.ts";

/** Resume tokens: not to be guessed. */
const resumeTokenBytes = 32;

/** Longer than a budget takes to be full again, so that nobody has a fresh one by coming again. */
const forgetUserMs = 10_000;

/** What the connections of one user have in common. */
interface User {
  readonly held: Set<HeldConnection>;
  readonly budget: UserBudget;
  lastSeenMs: number;
}

export interface RegistryDeps {
  readonly config: GatewayConfig;
  readonly deps: GatewayDeps;
  readonly metrics: GatewayMetrics;
  readonly deliveries: Deliveries;
}

/** The connections that this process holds, with or without a socket, until each of them ends. */
export class ConnectionRegistry {
  readonly #config: GatewayConfig;
  readonly #deps: GatewayDeps;
  readonly #metrics: GatewayMetrics;
  readonly #deliveries: Deliveries;
  /** By resume token. */
  readonly #held = new Map<string, HeldConnection>();
  readonly #byConnection = new Map<string, HeldConnection>();
  /** In the order in which they were made. */
  readonly #users = new Map<string, User>();

  constructor({ config, deps, metrics, deliveries }: RegistryDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#metrics = metrics;
    this.#deliveries = deliveries;
  }

  get size(): number {
    return this.#held.size;
  }

  /** As they are now: what becomes of them meanwhile changes nothing. */
  all(): readonly HeldConnection[] {
    return [...this.#held.values()];
  }

  /** Without a copy, for who ends none of them. */
  values(): Iterable<HeldConnection> {
    return this.#held.values();
  }

  get(connectionId: string): HeldConnection | undefined {
    return this.#byConnection.get(connectionId);
  }

  /** Only the same user of the same app gets a connection back, and only without a gap. */
  findResumable({ resume }: Connect, { appId, subject }: VerifiedToken): HeldConnection | undefined {
    if (resume === undefined) return undefined;
    const held = this.#held.get(resume.resumeToken);
    if (held === undefined || held.connection.appId !== appId || held.connection.userId !== subject) return undefined;
    return held.connection.canResume(Number(resume.lastSeq)) ? held : undefined;
  }

  /** A new connection of the token's user. */
  open(token: VerifiedToken): HeldConnection {
    this.#makeRoomFor(token);
    const { random, clock, serverVersion } = this.#deps;
    const key = userKey(token.appId, token.subject);
    const user = this.#users.get(key) ?? {
      held: new Set(),
      budget: new UserBudget(this.#config.policy, clock.monoMs()),
      lastSeenMs: 0,
    };
    this.#users.set(key, user);
    const connection = new Connection(
      {
        connectionId: randomId(random),
        resumeToken: toBase64url(random.bytes(resumeTokenBytes)),
        appId: token.appId,
        userId: token.subject,
        serverVersion,
        policy: this.#config.policy,
        budget: user.budget,
      },
      clock.monoMs(),
    );
    const held = new HeldConnection({
      connection,
      token,
      deps: this.#deps,
      metrics: this.#metrics,
      deliveries: this.#deliveries,
      onEnded: () => {
        this.#held.delete(connection.resumeToken);
        this.#byConnection.delete(connection.connectionId);
        this.#forgetOfUser(held);
        announceGone(this.#deps.bus, connection.appId, connection.connectionId);
      },
    });
    this.#held.set(connection.resumeToken, held);
    this.#byConnection.set(connection.connectionId, held);
    user.held.add(held);
    return held;
  }

  tick(): void {
    const nowMs = this.#deps.clock.monoMs();
    for (const held of this.all()) held.tick();
    for (const [key, user] of this.#users) {
      if (user.held.size === 0 && nowMs - user.lastSeenMs > forgetUserMs) this.#users.delete(key);
    }
  }

  /** Frees all of them; nobody is told. */
  release(): void {
    for (const held of this.#held.values()) held.release();
    this.#held.clear();
    this.#byConnection.clear();
    this.#users.clear();
  }

  /**
   * Who connects again and again without resuming leaves connections that wait for a resume, each with its place in rooms. A user has no more of
   * both kinds than of sockets: the oldest that waits goes.
   */
  #makeRoomFor(token: VerifiedToken): void {
    const user = this.#users.get(userKey(token.appId, token.subject));
    if (user === undefined || user.held.size < this.#config.limits.maxPerUser) return;
    for (const held of user.held) {
      if (held.connection.state !== "detached") continue;
      held.giveUp();
      this.#metrics.refused.add(1, ["too-many-connections"]);
      return;
    }
  }

  #forgetOfUser(held: HeldConnection): void {
    const user = this.#users.get(userKey(held.connection.appId, held.connection.userId));
    if (user === undefined) return;
    user.held.delete(held);
    user.lastSeenMs = this.#deps.clock.monoMs();
  }
}

function userKey(appId: string, userId: string): string {
  return JSON.stringify([appId, userId]);
}
