import { create, fromBinary } from "@bufbuild/protobuf";
import type { VerifiedToken } from "@parley/domain-access";
import { subjects, type Bus, type Clock, type FenceGuard, type Subscription, type Timer } from "@parley/foundation";
import {
  encodeMessage,
  ClientSessionState,
  ConnectionPresenceSchema,
  RoomEventDeliverySchema,
  type ErrorName,
  type RoomEvent,
  type RoomEventDelivery,
} from "@parley/protocol";
import { ofWire } from "./problem.ts";

/** A WHIP or WHEP session: the resource that a POST made. Its id is its connection id. */
export interface Resource {
  readonly id: string;
  readonly kind: "whip" | "whep";
  readonly appId: string;
  readonly roomId: string;
  readonly userId: string;
  readonly subscription: Subscription;
  requestId: bigint;
  /** The ICE generation, quoted (RFC 9725 4.3). */
  etag: string;
  remoteUfrag: string;
  /** The one that lasts longest of those the client came with. */
  token: VerifiedToken;
}

/** How presence is announced (connection owners, each second). */
const presenceMs = 1_000;
/** How long a resource that ended by itself is remembered, so that its client learns why. */
const tombstoneMs = 600_000;
const maxTombstones = 20_000;

export interface ResourcesDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ownerId: string;
  /** Against former owners of rooms. */
  readonly fences: FenceGuard;
}

/** The living sessions of this process, and why some are no more. */
export class Resources {
  readonly #deps: ResourcesDeps;
  readonly #live = new Map<string, Resource>();
  readonly #ended = new Map<string, { readonly reason: ErrorName; readonly atMs: number }>();
  readonly #events: Subscription;
  readonly #timer: Timer;
  /** What is announced; undefined: it has changed since. */
  #announcement: Uint8Array | undefined;

  constructor(deps: ResourcesDeps) {
    this.#deps = deps;
    this.#events = deps.bus.subscribe(subjects.ownerEvent(deps.ownerId), ({ payload }) => this.#delivered(payload));
    this.#timer = deps.clock.every(presenceMs, () => this.#announce());
  }

  get size(): number {
    return this.#live.size;
  }

  /** Listens for what becomes of connection `id`; to be called before the command that makes it a participant. */
  listen(id: string): Subscription {
    return this.#deps.bus.subscribe(subjects.connectionEvent(id), ({ payload }) => this.#delivered(payload, id));
  }

  /** Undefined when the session has ended while it was being made. */
  add(resource: Resource): void {
    if (this.#ended.has(resource.id)) return;
    this.#live.set(resource.id, resource);
    this.#announcement = undefined;
  }

  /** From now on it stays for as long as this token is good. */
  extend(resource: Resource, token: VerifiedToken): void {
    resource.token = token;
    this.#announcement = undefined;
  }

  get(id: string): Resource | undefined {
    return this.#live.get(id);
  }

  /** Why a session is no more, if that is remembered. */
  endOf(id: string): ErrorName | undefined {
    return this.#ended.get(id)?.reason;
  }

  remove(id: string): void {
    this.#live.get(id)?.subscription.unsubscribe();
    this.#live.delete(id);
    this.#announcement = undefined;
  }

  /** Ends everything; returns what was alive. */
  close(): Resource[] {
    this.#timer.cancel();
    this.#events.unsubscribe();
    const all = [...this.#live.values()];
    for (const { id } of all) this.remove(id);
    return all;
  }

  /** An event for several resources, or on the subject of one. */
  #delivered(payload: Uint8Array, ...ids: readonly string[]): void {
    let delivery: RoomEventDelivery;
    try {
      delivery = fromBinary(RoomEventDeliverySchema, payload);
    } catch {
      return;
    }
    const { event, fence, connectionIds } = delivery;
    const reason = event === undefined ? undefined : endReason(event);
    if (reason === undefined || !this.#deps.fences.admits(fence)) return;
    for (const id of ids.length > 0 ? ids : connectionIds) this.#end(id, reason);
  }

  /** Ends those that are meant, for a reason that their clients are told when they ask. */
  endWhere(meant: (resource: Resource) => boolean, reason: ErrorName): Resource[] {
    const ended = [...this.#live.values()].filter(meant);
    for (const { id } of ended) this.#end(id, reason);
    return ended;
  }

  #end(id: string, reason: ErrorName): void {
    this.remove(id);
    this.#ended.set(id, { reason, atMs: this.#deps.clock.monoMs() });
    if (this.#ended.size > maxTombstones) {
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
  }

  #makeAnnouncement(): Uint8Array {
    const connections = [...this.#live.values()].map(({ appId, id, roomId, token }) => ({
      appId,
      connectionId: id,
      roomIds: [roomId],
      tokenExpiresAtUnixMs: BigInt(Math.floor(token.expiresAtUnixMs)),
    }));
    const presence = create(ConnectionPresenceSchema, { ownerId: this.#deps.ownerId, connections });
    return encodeMessage(ConnectionPresenceSchema, presence);
  }

  #announce(): void {
    const { bus, clock } = this.#deps;
    this.#announcement ??= this.#makeAnnouncement();
    bus.publish(subjects.connectionPresence, this.#announcement);
    const oldestMs = clock.monoMs() - tombstoneMs;
    for (const [id, { atMs }] of this.#ended) {
      if (atMs >= oldestMs) break;
      this.#ended.delete(id);
    }
  }
}

/** Events after which the participant, and with it the session, is no more. */
function endReason({ event }: RoomEvent): ErrorName | undefined {
  switch (event.case) {
    case "removed":
      return event.value.error === undefined ? "removed" : ofWire(event.value.error).name;
    case "roomClosed":
      return "room-closed";
    case "moved":
      return "session-not-found";
    case "sessionState":
      return event.value.state === ClientSessionState.LOST ? "session-not-found" : undefined;
    default:
      return undefined;
  }
}
