import { create, fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { defaultRoomLimits, RoomHost, type RoomInput, type RoomLimits, type RoomOutput } from "@parley/domain-rooms";
import type { SdpLimits } from "@parley/domain-media-control";
import {
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
  ConnectionGoneSchema,
  ConnectionPresenceSchema,
  GrantRequestSchema,
  NodeAnnouncementSchema,
  RoomCommandReplySchema,
  RoomCommandSchema,
  RoomEventDeliverySchema,
  RoomTransferReplySchema,
  RoomTransferSchema,
  SessionGrantSchema,
  SessionStatusSchema,
  type RoomCommand,
  type RoomTransfer,
} from "@parley/protocol";
import { NodeTable, type LostNode } from "./node-table.ts";
import { MediaNegotiator } from "./session-negotiator.ts";
import { SignalingMetrics } from "./signaling-metrics.ts";

/** Owns rooms: applies commands, tells media nodes what to do, tells members what happened. */
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
  readonly sdpLimits?: SdpLimits;
}

/** Nodes are forgotten after 750 ms, presence after 3 s: a tenth of a second is exact enough for both. */
const tickMs = 100;
/** One process of the queue group takes each command. */
const queue = "signaling";

export function createSignaling(deps: SignalingDeps): Signaling {
  return new RoomOwner(deps);
}

class RoomOwner implements Signaling {
  readonly #deps: SignalingDeps;
  readonly #nodes = new NodeTable();
  readonly #host: RoomHost;
  readonly #metrics: SignalingMetrics;
  readonly #replies = new Map<number, (payload: Uint8Array) => void>();
  readonly #originUnixMs: number;
  readonly #originMonoMs: number;
  #nextReply = 1;
  #subscriptions: Subscription[] = [];
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
      ...(config.sdpLimits === undefined ? {} : { sdpLimits: config.sdpLimits }),
    });
    this.#host = new RoomHost({ negotiator, random, limits: { ...defaultRoomLimits, ...config.limits } });
    this.#metrics = new SignalingMetrics(metrics, this.#host, this.#nodes);
  }

  get liveNodes(): number {
    return this.#nodes.size;
  }

  get rooms(): number {
    return this.#host.roomCount;
  }

  start(): void {
    const { bus, clock } = this.#deps;
    const on = <S extends DescMessage>(
      subject: string,
      schema: S,
      handler: (message: MessageShape<S>, raw: BusMessage) => void,
      options?: { readonly queue: string },
    ): void => {
      const take = (raw: BusMessage): void => this.#decoded(schema, raw, handler);
      this.#subscriptions.push(bus.subscribe(subject, take, options));
    };
    on(subjects.mediaAnnounce, NodeAnnouncementSchema, (announcement) =>
      this.#nodeLost(this.#nodes.announced(announcement)),
    );
    on(subjects.mediaStatusAll, SessionStatusSchema, (status) => this.#handle({ type: "session-status", status }));
    on(subjects.mediaGrantGet, GrantRequestSchema, ({ localUfrag }, raw) => this.#answerGrant(localUfrag, raw));
    on(subjects.roomCommandAll, RoomCommandSchema, (command, raw) => this.#command(command, raw), { queue });
    on(subjects.roomTransferAll, RoomTransferSchema, (transfer, raw) => this.#transfer(transfer, raw), { queue });
    on(subjects.connectionPresence, ConnectionPresenceSchema, ({ connections }) =>
      this.#handle({ type: "presence", connections }),
    );
    on(subjects.connectionGone, ConnectionGoneSchema, ({ appId, connectionId }) =>
      this.#handle({ type: "connection-gone", appId, connectionId }),
    );
    on(subjects.mediaGrantsHeld, SessionGrantSchema, (grant) => this.#handle({ type: "grant-held", grant }));
    this.#timer = clock.every(tickMs, () => this.#tick());
    this.#handle({ type: "recover" });
    bus.publish(subjects.mediaGrantsWanted, new Uint8Array());
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
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
    reply?.(grant === undefined ? new Uint8Array() : toBinary(SessionGrantSchema, grant));
  }

  #tick(): void {
    for (const lost of this.#nodes.tick(this.#deps.clock.monoMs())) this.#nodeLost(lost);
    this.#handle({ type: "tick" });
  }

  #nodeLost(lost: LostNode | undefined): void {
    if (lost === undefined) return;
    this.#deps.logger.warn("media node lost", { nodeId: lost.nodeId });
    this.#handle({ type: "node-lost", ...lost });
  }

  #handle(input: RoomInput): void {
    for (const output of this.#host.handle(input, this.#nowMs())) this.#carryOut(output);
  }

  #carryOut(output: RoomOutput): void {
    const { bus } = this.#deps;
    switch (output.type) {
      case "reply":
        this.#reply(output.replyTo, toBinary(RoomCommandReplySchema, output.reply));
        break;
      case "transfer-reply":
        this.#reply(output.replyTo, toBinary(RoomTransferReplySchema, output.reply));
        break;
      case "grant":
        bus.publish(subjects.mediaGrant(output.nodeId), toBinary(SessionGrantSchema, output.grant));
        break;
      case "event": {
        // Encoded once, however many hear it.
        const { appId, event, lossy } = output;
        const payload = toBinary(RoomEventDeliverySchema, create(RoomEventDeliverySchema, { appId, event, lossy }));
        for (const connectionId of output.connectionIds) bus.publish(subjects.connectionEvent(connectionId), payload);
        break;
      }
      case "transfer-request":
        void this.#requestTransfer(output.transfer, output.deadlineMs);
        break;
    }
  }

  #reply(replyTo: number, payload: Uint8Array): void {
    this.#replies.get(replyTo)?.(payload);
    this.#replies.delete(replyTo);
  }

  async #requestTransfer(transfer: RoomTransfer, timeoutMs: number): Promise<void> {
    const subject = subjects.roomTransfer(transfer.appId, transfer.toRoomId);
    const { transferId } = transfer;
    const options = { timeoutMs, signal: this.#closing.signal };
    try {
      const bytes = await this.#deps.bus.request(subject, toBinary(RoomTransferSchema, transfer), options);
      this.#handle({ type: "transfer-answered", transferId, reply: fromBinary(RoomTransferReplySchema, bytes) });
    } catch {
      if (!this.#closing.signal.aborted) this.#handle({ type: "transfer-answered", transferId, reply: undefined });
    }
  }
}
