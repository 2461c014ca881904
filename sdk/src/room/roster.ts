import type {
  LeaveReason as WireLeaveReason,
  LobbyChanged,
  Participant,
  RoomEvent,
  RoomInfo,
  Snapshot,
  Stream,
} from "@parley/protocol";
import { LeaveReason } from "@parley/protocol";

/** What changed in the state of a room, in an order in which every step makes sense. */
export type RosterChange =
  | { readonly type: "joined"; readonly participant: Participant }
  | { readonly type: "updated"; readonly participant: Participant }
  | { readonly type: "left"; readonly participant: Participant; readonly reason: WireLeaveReason }
  | { readonly type: "published"; readonly stream: Stream }
  | { readonly type: "stream-updated"; readonly stream: Stream; readonly before: Stream }
  | { readonly type: "unpublished"; readonly stream: Stream }
  | { readonly type: "room"; readonly info: RoomInfo }
  | { readonly type: "lobby"; readonly waiting: readonly Participant[] };

/**
 * The state of a room as this client knows it: the last snapshot and the events after it. An event that does not follow on what is known is refused
 * (`gap`), and only a snapshot helps then.
 */
export class Roster {
  #info: RoomInfo | undefined;
  #revision = 0n;
  #participants = new Map<string, Participant>();
  #streams = new Map<number, Stream>();
  #lobby: readonly Participant[] = [];
  /** 0: told by a server that does not number them. */
  #lobbyRevision = 0n;

  get info(): RoomInfo | undefined {
    return this.#info;
  }
  get revision(): bigint {
    return this.#revision;
  }
  get participants(): ReadonlyMap<string, Participant> {
    return this.#participants;
  }
  get streams(): ReadonlyMap<number, Stream> {
    return this.#streams;
  }
  get lobby(): readonly Participant[] {
    return this.#lobby;
  }

  /** Takes a snapshot; what differs from before comes back. A snapshot older than what is known changes nothing. */
  reset(snapshot: Snapshot, fresh = false): readonly RosterChange[] {
    if (!fresh && this.#info !== undefined && snapshot.revision < this.#revision) return [];
    if (fresh) this.#lobbyRevision = 0n;
    this.#revision = snapshot.revision;
    const changes: RosterChange[] = [];
    if (snapshot.room !== undefined) {
      this.#info = snapshot.room;
      changes.push({ type: "room", info: snapshot.room });
    }
    const participants = new Map(snapshot.participants.map((participant) => [participant.participantId, participant]));
    const streams = new Map(snapshot.streams.map((stream) => [stream.streamId, stream]));
    for (const stream of this.#streams.values()) {
      // The same number for another owner is another stream.
      if (streams.get(stream.streamId)?.participantId !== stream.participantId) changes.push(this.#dropStream(stream));
    }
    for (const participant of this.#participants.values()) {
      if (!participants.has(participant.participantId))
        changes.push(...this.#drop(participant, LeaveReason.UNSPECIFIED));
    }
    for (const participant of participants.values()) changes.push(this.#put(participant));
    for (const stream of streams.values()) changes.push(this.#putStream(stream));
    changes.push(...this.#setLobby(snapshot.lobby, snapshot.lobbyRevision));
    return changes;
  }

  /** Events without a revision change no state and are not for here. */
  apply({ revision, event }: RoomEvent): readonly RosterChange[] | "gap" {
    if (event.case === "snapshot") return this.reset(event.value);
    if (revision === 0n) return event.case === "lobbyChanged" ? this.#onLobby(event.value) : [];
    if (revision <= this.#revision) return [];
    if (revision !== this.#revision + 1n) return "gap";
    this.#revision = revision;
    switch (event.case) {
      case "participantJoined":
      case "participantUpdated":
        return event.value.participant === undefined ? [] : [this.#put(event.value.participant)];
      case "participantLeft": {
        const participant = this.#participants.get(event.value.participantId);
        return participant === undefined ? [] : this.#drop(participant, event.value.reason);
      }
      case "streamPublished":
      case "streamUpdated":
        return event.value.stream === undefined ? [] : [this.#putStream(event.value.stream)];
      case "streamUnpublished": {
        const stream = this.#streams.get(event.value.streamId);
        return stream === undefined ? [] : [this.#dropStream(stream)];
      }
      case "roomUpdated":
        if (event.value.room === undefined) return [];
        this.#info = event.value.room;
        return [{ type: "room", info: event.value.room }];
      case "lobbyChanged":
        return this.#onLobby(event.value);
      default:
        return [];
    }
  }

  #onLobby({ waiting, revision }: LobbyChanged): readonly RosterChange[] {
    return this.#setLobby(waiting, revision);
  }

  /** What was told twice, or overtaken, is no news. */
  #setLobby(waiting: readonly Participant[], revision: bigint): readonly RosterChange[] {
    if (revision !== 0n && revision <= this.#lobbyRevision) return [];
    this.#lobbyRevision = revision;
    this.#lobby = waiting;
    return [{ type: "lobby", waiting }];
  }

  #put(participant: Participant): RosterChange {
    const known = this.#participants.has(participant.participantId);
    this.#participants.set(participant.participantId, participant);
    return { type: known ? "updated" : "joined", participant };
  }

  #drop(participant: Participant, reason: WireLeaveReason): readonly RosterChange[] {
    const changes: RosterChange[] = [];
    for (const stream of this.#streams.values()) {
      if (stream.participantId === participant.participantId) changes.push(this.#dropStream(stream));
    }
    this.#participants.delete(participant.participantId);
    changes.push({ type: "left", participant, reason });
    return changes;
  }

  #putStream(stream: Stream): RosterChange {
    const before = this.#streams.get(stream.streamId);
    this.#streams.set(stream.streamId, stream);
    return before === undefined ? { type: "published", stream } : { type: "stream-updated", stream, before };
  }

  #dropStream(stream: Stream): RosterChange {
    this.#streams.delete(stream.streamId);
    return { type: "unpublished", stream };
  }
}
