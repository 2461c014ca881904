import { create } from "@bufbuild/protobuf";
import {
  PermissionsSchema,
  type Permissions,
  type RoomCommand,
  type RoomResponse,
  type RoomTransfer,
  type RoomTransferReply,
  type RoomTransferSettled,
} from "@parley/protocol";

/*
 * What a room is, said as simply as possible and without any of the room's own code: plain maps, everything derived is derived anew.
 * It is told every command that the room executes, in order, and must come to the same state.
 */

interface ModelMember {
  participantId: string;
  userId: string;
  permissions: Permissions;
  waiting: boolean;
  hand: boolean;
  attributes: Record<string, string>;
  seenAtMs: number;
  /** The transfer that brought it, until it is known to be here for good. */
  arrivedBy?: string;
}

interface ModelStream {
  connectionId: string;
  name: string;
  /** Undefined: between two sessions. */
  session: string | undefined;
  tracks: { mid: string; kind: string; muted: boolean; source: number }[];
  orphanedAtMs: number;
  order: number;
}

interface ModelSlot {
  mid: string;
  kind: string;
  streamId: number;
  name: string;
}

/** What a data message is to come to: to whom it goes, when it is sent. */
export interface ModelMessage {
  readonly text: string;
  readonly connectionIds: ReadonlySet<string>;
}

const presenceMs = 3_000;
const orphanMs = 10_000;

export class RoomModel {
  members = new Map<string, ModelMember>();
  streams = new Map<number, ModelStream>();
  /** Slots by `connection/session`; a publishing session has none. */
  sessions = new Map<string, ModelSlot[]>();
  readonly banned = new Set<string>();
  readonly messages: ModelMessage[] = [];
  lobby = false;
  locked = false;
  #order = 0;

  /** A command the room has just executed for the first time, with its answer; undefined when it was refused. */
  executed(command: RoomCommand, answer: RoomResponse | undefined, nowMs: number): void {
    const { connectionId } = command;
    const method = command.request?.method;
    if (answer === undefined || method === undefined) return;
    const self = this.members.get(connectionId);
    if (self !== undefined && method.case !== "join") this.seen(connectionId, nowMs);
    switch (method.case) {
      case "join":
        this.#join(command, answer, nowMs);
        break;
      case "leave":
        this.#leave(connectionId);
        break;
      case "openSession": {
        const { session, sections, offerSdp, bindings } = method.value;
        const kinds = kindsOf(offerSdp);
        const published = answer.result.case === "session" ? answer.result.value.published : [];
        const key = `${connectionId}/${session}`;
        const inherited = [...this.streams].filter(([, stream]) => stream.session === key);
        this.sessions.set(
          key,
          sections.flatMap(({ mid, use }) =>
            use.case === "receive" ? [{ mid, kind: kinds.get(mid) ?? "", streamId: 0, name: "" }] : [],
          ),
        );
        for (const { name, streamId } of published) {
          const tracks = sections.flatMap(({ mid, use }) =>
            use.case === "publish" && use.value.stream === name
              ? [{ mid, kind: kinds.get(mid) ?? "", muted: use.value.muted, source: use.value.source as number }]
              : [],
          );
          const order = this.streams.get(streamId)?.order ?? this.#order++;
          this.streams.set(streamId, { connectionId, name, session: key, tracks, orphanedAtMs: 0, order });
        }
        const still = new Set(published.map(({ streamId }) => streamId));
        for (const [streamId] of inherited) if (!still.has(streamId)) this.streams.delete(streamId);
        this.#bind(key, bindings);
        break;
      }
      case "updateSession": {
        const { session, sections, offerSdp } = method.value;
        const kinds = kindsOf(offerSdp);
        const key = `${connectionId}/${session}`;
        const before = this.sessions.get(key) ?? [];
        const refused = answer.result.case === "session" ? answer.result.value.refused.map((one) => one.mid) : [];
        const slots = sections.flatMap(({ mid, use }) => {
          if (refused.includes(mid)) return [];
          const there = before.find((slot) => slot.mid === mid);
          return use.case === "receive" ? [there ?? { mid, kind: kinds.get(mid) ?? "", streamId: 0, name: "" }] : [];
        });
        this.sessions.set(key, slots);
        break;
      }
      case "closeSession":
        this.#closeSession(`${connectionId}/${method.value.session}`);
        break;
      case "bindSlots":
        this.#bind(`${connectionId}/${method.value.session}`, method.value.bindings);
        break;
      case "setTrackMuted":
        this.#mute(method.value.streamId, method.value.mid, method.value.muted);
        break;
      case "updateSelf":
        if (self === undefined) break;
        if (method.value.handRaised !== undefined) self.hand = method.value.handRaised;
        for (const [key, value] of Object.entries(method.value.attributes)) {
          if (value === "") delete self.attributes[key];
          else self.attributes[key] = value;
        }
        break;
      case "updateRoom":
        this.lobby = method.value.lobbyEnabled ?? this.lobby;
        this.locked = method.value.locked ?? this.locked;
        break;
      case "moderate":
        this.#moderate(command);
        break;
      case "sendData": {
        const { payload, toParticipantIds } = method.value;
        const receivers = [...this.members].filter(
          ([other, { participantId, waiting }]) =>
            other !== connectionId &&
            !waiting &&
            (toParticipantIds.length === 0 || toParticipantIds.includes(participantId)),
        );
        const text = new TextDecoder().decode(payload);
        this.messages.push({ text, connectionIds: new Set(receivers.map(([other]) => other)) });
        break;
      }
      default:
    }
  }

  seen(connectionId: string, nowMs: number): void {
    const member = this.members.get(connectionId);
    if (member === undefined) return;
    member.seenAtMs = nowMs;
    delete member.arrivedBy;
  }

  tick(nowMs: number): void {
    for (const [connectionId, { seenAtMs }] of this.members)
      if (nowMs - seenAtMs > presenceMs) this.#leave(connectionId);
    for (const [streamId, { session, orphanedAtMs }] of this.streams) {
      if (session === undefined && nowMs - orphanedAtMs >= orphanMs) this.streams.delete(streamId);
    }
    this.#vanish();
  }

  nodeLost(nowMs: number): void {
    this.sessions.clear();
    for (const stream of this.streams.values()) {
      if (stream.session === undefined) continue;
      stream.session = undefined;
      stream.tracks = [];
      stream.orphanedAtMs = nowMs;
    }
  }

  /** The other room's owner was asked to take people in, and said whom it took. `busy`: who is just being moved from here. */
  arrived(transfer: RoomTransfer, reply: RoomTransferReply, busy: ReadonlySet<string>, nowMs: number): void {
    for (const [index, participant] of transfer.participants.entries()) {
      const { connectionId, userId } = participant;
      const result = reply.results[index]?.result;
      const there = this.members.get(connectionId);
      const barred = this.banned.has(userId) || busy.has(connectionId) || there?.arrivedBy !== undefined;
      const expected = barred ? "error" : there === undefined ? "joined" : "alreadyThere";
      if (result?.case !== expected) throw new Error(`${connectionId}: ${result?.case}, not ${expected}`);
      if (there !== undefined && !barred) there.waiting = false;
      if (result.case !== "joined") continue;
      this.members.set(connectionId, {
        participantId: result.value.participantId,
        userId,
        permissions: participant.permissions ?? create(PermissionsSchema),
        waiting: false,
        hand: false,
        attributes: { ...participant.attributes },
        seenAtMs: nowMs,
        arrivedBy: transfer.transferId,
      });
    }
  }

  /** Their new room has them, or had them already. Returns who came there by this. */
  departed(
    { transfer, participantIds }: { readonly transfer: RoomTransfer; readonly participantIds: readonly string[] },
    reply: RoomTransferReply,
  ): string[] {
    const kept: string[] = [];
    for (const [index, { connectionId }] of transfer.participants.entries()) {
      const result = reply.results[index]?.result.case;
      if (
        this.members.get(connectionId)?.participantId !== participantIds[index] ||
        (result !== "joined" && result !== "alreadyThere")
      )
        continue;
      this.#leave(connectionId);
      if (result === "joined") kept.push(connectionId);
    }
    return kept;
  }

  /** The other room says who has really come. */
  settled({ transferId, keptConnectionIds }: RoomTransferSettled): void {
    for (const [connectionId, member] of this.members) {
      if (member.arrivedBy !== transferId) continue;
      if (keptConnectionIds.includes(connectionId)) delete member.arrivedBy;
      else this.#leave(connectionId);
    }
  }

  /** What each slot shows, worked out from nothing. */
  bindings(): Map<string, string> {
    const result = new Map<string, string>();
    for (const [key, slots] of this.sessions) {
      const member = this.members.get(key.split("/")[0] ?? "");
      for (const slot of slots) {
        const found = member?.permissions.subscribe === true ? this.#shown(slot) : undefined;
        result.set(`${key}/${slot.mid}`, found ?? "nothing");
      }
    }
    return result;
  }

  #shown(slot: ModelSlot): string | undefined {
    let streamId: number | undefined = slot.streamId === 0 ? undefined : slot.streamId;
    if (slot.name !== "") {
      const named = [...this.streams].filter(([, { name }]) => name === slot.name);
      const there = named.filter(([, { session }]) => session !== undefined);
      [streamId] = (there.length > 0 ? there : named).sort(([, a], [, b]) => a.order - b.order)[0] ?? [];
    }
    const stream = this.streams.get(streamId ?? 0);
    const track = stream?.tracks.find(({ kind }) => kind === slot.kind);
    return stream?.session === undefined || track === undefined ? undefined : `${streamId}/${track.mid}`;
  }

  #join(command: RoomCommand, answer: RoomResponse, nowMs: number): void {
    if (this.banned.has(command.userId)) throw new Error(`${command.userId} is banned and came in`);
    if (answer.result.case !== "joined" || command.request?.method.case !== "join") return;
    const { participantId, waiting } = answer.result.value;
    const old = [...this.members].find(([, member]) => member.participantId === participantId);
    if (old !== undefined) {
      const [oldConnection, before] = old;
      for (const key of this.sessions.keys()) if (key.startsWith(`${oldConnection}/`)) this.sessions.delete(key);
      for (const stream of this.streams.values()) {
        if (stream.connectionId !== oldConnection) continue;
        stream.connectionId = command.connectionId;
        if (stream.session === undefined) continue;
        stream.session = undefined;
        stream.tracks = [];
        stream.orphanedAtMs = nowMs;
      }
      this.members.delete(oldConnection);
      this.#add(command, { participantId, waiting, hand: before.hand, nowMs });
      return;
    }
    this.#add(command, { participantId, waiting, hand: false, nowMs });
  }

  #add(command: RoomCommand, of: { participantId: string; waiting: boolean; hand: boolean; nowMs: number }): void {
    const method = command.request?.method;
    this.members.set(command.connectionId, {
      participantId: of.participantId,
      userId: command.userId,
      permissions: create(PermissionsSchema, { ...command.grants?.permissions, $typeName: undefined } as object),
      waiting: of.waiting,
      hand: of.hand,
      attributes: method?.case === "join" ? { ...method.value.attributes } : {},
      seenAtMs: of.nowMs,
    });
  }

  #leave(connectionId: string): void {
    this.members.delete(connectionId);
    for (const key of this.sessions.keys()) if (key.startsWith(`${connectionId}/`)) this.#closeSession(key);
    for (const [streamId, stream] of this.streams)
      if (stream.connectionId === connectionId) this.streams.delete(streamId);
    this.#vanish();
  }

  /** A room without members keeps nothing. */
  #vanish(): void {
    if (this.members.size > 0) return;
    this.lobby = false;
    this.locked = false;
    this.banned.clear();
  }

  #closeSession(key: string): void {
    this.sessions.delete(key);
    for (const [streamId, { session }] of this.streams) if (session === key) this.streams.delete(streamId);
  }

  #bind(key: string, bindings: readonly { mid: string; streamId: number; streamName: string }[]): void {
    for (const { mid, streamId, streamName } of bindings) {
      const slot = this.sessions.get(key)?.find((one) => one.mid === mid);
      if (slot === undefined) continue;
      slot.name = streamName;
      slot.streamId = streamName === "" && this.streams.has(streamId) ? streamId : 0;
    }
  }

  #mute(streamId: number, mid: string, muted: boolean): void {
    const track = this.streams.get(streamId)?.tracks.find((one) => one.mid === mid);
    if (track !== undefined) track.muted = muted;
  }

  #moderate(command: RoomCommand): void {
    const method = command.request?.method;
    if (method?.case !== "moderate") return;
    const { command: order } = method.value;
    const find = (participantId: string) =>
      [...this.members].find(([, member]) => member.participantId === participantId);
    if (order.case === "muteTrack") {
      if (!order.value.allAudio) this.#mute(order.value.streamId, order.value.mid, true);
      for (const { connectionId, tracks } of this.streams.values()) {
        if (!order.value.allAudio || connectionId === command.connectionId) continue;
        for (const track of tracks) if (track.kind === "audio") track.muted = true;
      }
    } else if (order.case === "remove") {
      const [connectionId, member] = find(order.value.participantId) ?? [];
      if (order.value.ban && member !== undefined) this.banned.add(member.userId);
      if (connectionId !== undefined) this.#leave(connectionId);
    } else if (order.case === "closeRoom") {
      for (const connectionId of [...this.members.keys()]) this.#leave(connectionId);
    } else if (order.case === "admit") {
      for (const participantId of order.value.participantIds) {
        const [connectionId, member] = find(participantId) ?? [];
        if (connectionId === undefined || member?.waiting !== true) continue;
        if (order.value.deny) this.#leave(connectionId);
        else member.waiting = false;
      }
    } else if (order.case === "setPermissions") {
      const [connectionId, member] = find(order.value.participantId) ?? [];
      if (connectionId === undefined || member === undefined || order.value.permissions === undefined) return;
      member.permissions = order.value.permissions;
      if (member.permissions.publish) return;
      for (const [streamId, stream] of this.streams) {
        // A stream that waits for its publisher has no track to take away; it ends by itself.
        if (stream.connectionId === connectionId && stream.tracks.length > 0) this.streams.delete(streamId);
      }
    }
  }
}

function kindsOf(offer: string): Map<string, string> {
  const { sections } = JSON.parse(offer) as { sections: { mid: string; kind: string }[] };
  return new Map(sections.map(({ mid, kind }) => [mid, kind]));
}
