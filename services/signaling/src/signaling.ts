import { create, fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  defaultRoomLimits,
  RoomHost,
  type RoomInput,
  type RoomLimits,
  type RoomOutput,
  type RoomPorts,
} from "@parley/domain-rooms";
import { DEFAULT_SDP_LIMITS, type SdpLimits } from "@parley/domain-media-control";
import {
  BusError,
  randomId,
  subjects,
  type Bus,
  type BusMessage,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
  type Subscription,
  type Timer,
} from "@parley/foundation";
import {
  encodeMessage,
  AudioLevelsSchema,
  ConnectionGoneSchema,
  ConnectionPresenceSchema,
  type ConnectionPresence,
  FenceSchema,
  GrantRequestSchema,
  GrantsWantedSchema,
  NodeAnnouncementSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  RoomEventDeliverySchema,
  RoomTransferReplySchema,
  RoomTransferSchema,
  RoomTransferSettledSchema,
  SessionGrantSchema,
  SessionStatusSchema,
  StandingGrantsSchema,
  type Fence,
  type RoomCommand,
  type SessionGrant,
  type RoomTransfer,
} from "@parley/protocol";
import { GrantEncoder } from "./grant-encoder.ts";
import { ConnectionOwners } from "./connection-owners.ts";
import { Lease } from "./lease.ts";
import { NodeTable, type LostNode } from "./node-table.ts";
import { MediaNegotiator } from "./session-negotiator.ts";
import { SignalingMetrics } from "./signaling-metrics.ts";

/** Owns rooms, while it has their lease: applies commands, tells media nodes what to do, tells members what happened. */
export interface Signaling {
  /** Subscribes, and asks the media nodes what they hold. Once. */
  start(): void;
  /** Live media nodes: without one, no session can be opened. */
  readonly liveNodes: number;
  readonly rooms: number;
  /** Stops. Sessions live on at their nodes for a while (35 s) and another process may take them over. */
  close(): void;
}

export interface SignalingDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: SignalingConfig;
}

export interface SignalingConfig {
  /** 16 bytes, shared with the media nodes of the site. */
  readonly ufragKey: Uint8Array;
  readonly limits?: Partial<RoomLimits>;
  /** Of offers; what is left out is as in DEFAULT_SDP_LIMITS. */
  readonly sdpLimits?: Partial<SdpLimits>;
}

/** Nodes are forgotten after 750 ms, presence after 3 s: a tenth of a second is exact enough for both. */
const tickMs = 100;
/** How often another room's owner is asked within the time that it has. */
const transferAttempts = 3;
/** One process of the queue group takes each command. */
const queue = "signaling";

export function createSignaling(deps: SignalingDeps): Signaling {
  return new RoomOwner(deps);
}

class RoomOwner implements Signaling {
  readonly #deps: SignalingDeps;
  readonly #nodes = new NodeTable();
  #host: RoomHost;
  readonly #ports: RoomPorts;
  readonly #lease: Lease;
  readonly #owners = new ConnectionOwners();
  readonly #grants = new GrantEncoder();
  readonly #metrics: SignalingMetrics;
  readonly #presences = new WeakMap<Uint8Array, ConnectionPresence>();
  readonly #replies = new Map<number, (payload: Uint8Array) => void>();
  readonly #originUnixMs: number;
  readonly #originMonoMs: number;
  /** Of our lease; the same object in all that we emit. */
  #fence: Fence | undefined;
  #nextReply = 1;
  /** Kept by a process that stands by, too. */
  readonly #always: Subscription[] = [];
  readonly #owned: Subscription[] = [];
  #timer: Timer | undefined;
  readonly #closing = new AbortController();

  constructor(deps: SignalingDeps) {
    this.#deps = deps;
    const { clock, random, config, metrics } = deps;
    this.#originUnixMs = clock.unixMs();
    this.#originMonoMs = clock.monoMs();
    const negotiator = new MediaNegotiator({
      nodes: this.#nodes,
      random,
      ufragKey: config.ufragKey,
      sdpLimits: { ...DEFAULT_SDP_LIMITS, ...config.sdpLimits },
    });
    this.#ports = { negotiator, random, limits: { ...defaultRoomLimits, ...config.limits } };
    this.#host = new RoomHost(this.#ports);
    this.#metrics = new SignalingMetrics(metrics, () => this.#host, this.#nodes);
    this.#lease = new Lease({
      bus: deps.bus,
      clock,
      logger: deps.logger,
      ownerId: randomId(random),
      shard: "all",
      random,
      onTaken: () => this.#own(),
      onLost: () => this.#disown(),
    });
  }

  get liveNodes(): number {
    return this.#nodes.size;
  }

  get rooms(): number {
    return this.#host.roomCount;
  }

  start(): void {
    const announced = this.#on(subjects.mediaAnnounce, NodeAnnouncementSchema, (announcement) =>
      this.#nodeLost(this.#nodes.announced(announcement)),
    );
    this.#always.push(announced);
    this.#timer = this.#deps.clock.every(tickMs, () => this.#tick());
    this.#lease.start();
  }

  /** The rooms are ours: rebuild them from what the media nodes hold, then serve. */
  #own(): void {
    const { fence } = this.#lease;
    this.#fence = fence === undefined ? undefined : create(FenceSchema, fence);
    this.#deps.logger.info("rooms taken over");
    const owned = this.#owned;
    owned.push(
      this.#on(subjects.mediaStatusAll, SessionStatusSchema, (status) =>
        this.#handle({ type: "session-status", status }),
      ),
      this.#on(subjects.mediaLevels, AudioLevelsSchema, (levels) => this.#handle({ type: "audio-levels", levels })),
      this.#on(subjects.mediaGrantGet, GrantRequestSchema, ({ localUfrag }, raw) => this.#answerGrant(localUfrag, raw)),
      this.#on(subjects.roomCommandAll, RoomCommandSchema, (command, raw) => this.#command(command, raw), { queue }),
      this.#on(subjects.roomTransferAll, RoomTransferSchema, (transfer, raw) => this.#transfer(transfer, raw), {
        queue,
      }),
      this.#on(
        subjects.roomTransferSettledAll,
        RoomTransferSettledSchema,
        (settled) => this.#handle({ type: "transfer-settled", settled }),
        { queue },
      ),
      this.#deps.bus.subscribe(subjects.connectionPresence, (raw) => this.#presence(raw)),
      this.#on(subjects.connectionGone, ConnectionGoneSchema, ({ appId, connectionId }) => {
        this.#owners.forget(connectionId);
        this.#handle({ type: "connection-gone", appId, connectionId });
      }),
      this.#on(subjects.mediaGrantsHeld, SessionGrantSchema, (grant) => this.#handle({ type: "grant-held", grant })),
    );
    this.#handle({ type: "recover" });
    const wanted = create(GrantsWantedSchema, this.#fenced());
    this.#deps.bus.publish(subjects.mediaGrantsWanted, encodeMessage(GrantsWantedSchema, wanted));
  }

  /** The bus of a single process hands over the same bytes while nothing has changed: thousands of connections, each second. */
  #presence(raw: BusMessage): void {
    const known = this.#presences.get(raw.payload);
    if (known !== undefined) this.#takePresence(known);
    else {
      this.#decoded(ConnectionPresenceSchema, raw, (presence) => {
        this.#presences.set(raw.payload, presence);
        this.#takePresence(presence);
      });
    }
  }

  #takePresence({ ownerId, connections }: ConnectionPresence): void {
    this.#owners.heardAll(connections, ownerId, this.#deps.clock.monoMs());
    this.#handle({ type: "presence", connections });
  }

  /** Another process has the rooms: what we know of them is worth nothing now. */
  #disown(): void {
    this.#deps.logger.warn("rooms lost to another process");
    for (const subscription of this.#owned.splice(0)) subscription.unsubscribe();
    this.#host = new RoomHost(this.#ports);
    this.#replies.clear();
  }

  #on<S extends DescMessage>(
    subject: string,
    schema: S,
    handler: (message: MessageShape<S>, raw: BusMessage) => void,
    options?: { readonly queue: string },
  ): Subscription {
    return this.#deps.bus.subscribe(subject, (raw) => this.#decoded(schema, raw, handler), options);
  }

  close(): void {
    for (const subscription of [...this.#always, ...this.#owned]) subscription.unsubscribe();
    this.#always.length = 0;
    this.#owned.length = 0;
    this.#lease.close();
    this.#timer?.cancel();
    this.#closing.abort();
  }

  /** Monotonic, near enough to the wall clock for stamps and the expiry of tokens. */
  #nowMs(): number {
    return this.#originUnixMs + (this.#deps.clock.monoMs() - this.#originMonoMs);
  }

  #decoded<S extends DescMessage>(
    schema: S,
    raw: BusMessage,
    handler: (message: MessageShape<S>, raw: BusMessage) => void,
  ): void {
    let message: MessageShape<S>;
    try {
      message = fromBinary(schema, raw.payload);
    } catch {
      this.#deps.logger.warn("a bus message cannot be read", { subject: raw.subject });
      return;
    }
    handler(message, raw);
  }

  #command(command: RoomCommand, { reply }: BusMessage): void {
    if (reply === undefined) return;
    if (command.deadlineUnixMs !== 0n && Number(command.deadlineUnixMs) < this.#deps.clock.unixMs()) return;
    this.#metrics.countCommand(command);
    this.#owners.heard(command.connectionId, command.ownerId, this.#deps.clock.monoMs());
    this.#handle({ type: "command", command, replyTo: this.#expectReply(reply) });
  }

  #transfer(transfer: RoomTransfer, { reply }: BusMessage): void {
    if (reply !== undefined) this.#handle({ type: "transfer", transfer, replyTo: this.#expectReply(reply) });
  }

  #expectReply(reply: (payload: Uint8Array) => void): number {
    const replyTo = this.#nextReply++;
    this.#replies.set(replyTo, reply);
    return replyTo;
  }

  #answerGrant(localUfrag: string, { reply }: BusMessage): void {
    const grant = this.#host.grantByUfrag(localUfrag);
    reply?.(grant === undefined ? new Uint8Array() : this.#grantBytes(grant));
  }

  #tick(): void {
    this.#owners.sweep(this.#deps.clock.monoMs());
    for (const lost of this.#nodes.tick(this.#deps.clock.monoMs())) this.#nodeLost(lost);
    this.#handle({ type: "tick" });
  }

  #nodeLost(lost: LostNode | undefined): void {
    if (lost === undefined) return;
    this.#deps.logger.warn("media node lost", { nodeId: lost.nodeId });
    this.#handle({ type: "node-lost", ...lost });
  }

  #handle(input: RoomInput): void {
    // What comes late, after the rooms were lost, is nothing to us.
    if (!this.#lease.isHeld) return;
    for (const output of this.#host.handle(input, this.#nowMs())) this.#carryOut(output);
  }

  #carryOut(output: RoomOutput): void {
    const { bus } = this.#deps;
    switch (output.type) {
      case "reply": {
        this.#reply(output.replyTo, encodeMessage(RoomCommandReplySchema, { ...output.reply, ...this.#fenced() }));
        break;
      }
      case "transfer-reply":
        this.#reply(output.replyTo, encodeMessage(RoomTransferReplySchema, output.reply));
        break;
      case "grant":
        bus.publish(subjects.mediaGrant(output.nodeId), this.#grantBytes(output.grant, output.before));
        break;
      case "standing-grants": {
        const { nodeId, nodeBootId, rooms } = output;
        const standing = create(StandingGrantsSchema, { nodeBootId, rooms: [...rooms], ...this.#fenced() });
        bus.publish(subjects.mediaStanding(nodeId), encodeMessage(StandingGrantsSchema, standing));
        break;
      }
      case "event":
        this.#publishEvent(output);
        break;
      case "transfer-request":
        void this.#requestTransfer(output.transfer, output.deadlineMs);
        break;
      case "transfer-settled": {
        const { settled } = output;
        const subject = subjects.roomTransferSettled(settled.appId, settled.toRoomId);
        bus.publish(subject, encodeMessage(RoomTransferSettledSchema, settled));
        break;
      }
    }
  }

  /** One message for each process that holds connections of it, however many they are. */
  #publishEvent({ appId, event, lossy, newestOf, connectionIds }: Extract<RoomOutput, { type: "event" }>): void {
    const { bus } = this.#deps;
    const common = { appId, event, lossy, newestOf, ...this.#fenced() };
    const encode = (more: { connectionIds?: string[] }): Uint8Array =>
      encodeMessage(RoomEventDeliverySchema, create(RoomEventDeliverySchema, { ...common, ...more }));
    for (const [ownerId, theirs] of this.#owners.group(connectionIds)) {
      if (ownerId !== "") bus.publish(subjects.ownerEvent(ownerId), encode({ connectionIds: theirs }));
      else {
        const payload = encode({});
        for (const connectionId of theirs) bus.publish(subjects.connectionEvent(connectionId), payload);
      }
    }
  }

  #grantBytes(grant: SessionGrant, before?: SessionGrant): Uint8Array {
    return this.#grants.encode(grant, this.#fence, before);
  }

  #fenced(): { readonly fence?: Fence } {
    return this.#fence === undefined ? {} : { fence: this.#fence };
  }

  #reply(replyTo: number, payload: Uint8Array): void {
    this.#replies.get(replyTo)?.(payload);
    this.#replies.delete(replyTo);
  }

  /** The bus may lose a message: a repeat is answered with what the first one has come to. */
  async #requestTransfer(transfer: RoomTransfer, deadlineMs: number, attempts = transferAttempts): Promise<void> {
    const subject = subjects.roomTransfer(transfer.appId, transfer.toRoomId);
    const { transferId } = transfer;
    const timeoutMs = deadlineMs / attempts;
    const options = { timeoutMs, signal: this.#closing.signal };
    try {
      const bytes = await this.#deps.bus.request(subject, encodeMessage(RoomTransferSchema, transfer), options);
      this.#handle({ type: "transfer-answered", transferId, reply: fromBinary(RoomTransferReplySchema, bytes) });
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const mayComeYet = error instanceof BusError && error.code === "timeout" && attempts > 1;
      if (mayComeYet) await this.#requestTransfer(transfer, deadlineMs - timeoutMs, attempts - 1);
      else this.#handle({ type: "transfer-answered", transferId, reply: undefined });
    }
  }
}
