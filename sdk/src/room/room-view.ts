import type { RoomEvent, Snapshot, SpeakersChanged } from "@parley/protocol";
import type { Participant } from "../api/participant.ts";
import type { RoomEvents } from "../api/room-events.ts";
import type { LobbyGuest } from "../api/values.ts";
import type { Platform } from "../platform/platform.ts";
import { ActiveSpeakers } from "./active-speakers.ts";
import type { LocalParticipantState } from "./local-participant.ts";
import type { Membership } from "./membership.ts";
import type { ParticipantState } from "./participant-state.ts";
import { RemoteRoster } from "./remote-roster.ts";
import type { RoomMedia } from "./room-media.ts";
import { Roster, type RosterChange } from "./roster.ts";
import { leaveReasonFromWire, qualityFromWire, roomInfoFromWire, sourceFromWire } from "./wire-values.ts";

export interface RoomViewDeps {
  readonly platform: Platform;
  readonly adaptiveStream: boolean;
  readonly membership: Membership;
  readonly media: RoomMedia;
  readonly localParticipant: LocalParticipantState;
  /** To the app. */
  readonly emit: <Name extends keyof RoomEvents>(name: Name, ...args: RoomEvents[Name]) => void;
}

type AnyParticipant = Participant & ParticipantState;

/** Who and what is in the room, by the server's snapshots and events; tells the app what has changed. */
export class RoomView {
  readonly roster = new Roster();
  readonly remote: RemoteRoster;
  readonly #deps: RoomViewDeps;
  readonly #emit: RoomViewDeps["emit"];
  readonly #speakers = new ActiveSpeakers();
  /** Grows with every join and move: what was asked before says nothing of the room as it is now. */
  #generation = 0;
  /** The generation for which a snapshot is on its way. */
  #snapshotAskedIn: number | undefined;
  /** How many waited when the app was told last. */
  #toldLobby = 0;

  constructor(deps: RoomViewDeps) {
    this.#deps = deps;
    this.#emit = deps.emit;
    this.remote = new RemoteRoster({
      clock: deps.platform.clock,
      adaptiveStream: deps.adaptiveStream,
      onDemand: () => this.demandsChanged(),
      look: () => deps.media.look(),
      onVolume: (publication) => deps.media.volumeChanged(publication),
    });
    this.#wireRemote();
  }

  get activeSpeakers(): readonly AnyParticipant[] {
    return this.#speakers.now as readonly AnyParticipant[];
  }
  get lobby(): readonly LobbyGuest[] {
    return this.roster.lobby.map(({ participantId, userId, name, attributes }) => ({
      id: participantId,
      userId,
      name,
      attributes,
    }));
  }

  getParticipant(id: string): AnyParticipant | undefined {
    const { membership, localParticipant } = this.#deps;
    return id === membership.participantId && id !== "" ? localParticipant : this.remote.participants.get(id);
  }

  /** The snapshot that came with a join. */
  reset(snapshot: Snapshot): void {
    this.#generation += 1;
    this.#speakers.reset();
    this.#carryOut(this.roster.reset(snapshot, true));
    this.#takeSpeakers(snapshot.speakers);
  }

  /** An event that is not about our own being here. */
  apply(event: RoomEvent): void {
    const changes = this.roster.apply(event);
    if (changes === "gap") {
      this.#askSnapshot();
      return;
    }
    this.#carryOut(changes);
    this.#onOccurrence(event);
  }

  /** What is wanted of the others may have changed. */
  demandsChanged(): void {
    this.#deps.media.update(this.remote.publications(), (publication) =>
      this.#speakers.rankOf(this.remote.ownerOf(publication)?.id ?? ""),
    );
  }

  #onOccurrence({ event }: RoomEvent): void {
    switch (event.case) {
      case "unmuteAsked":
        this.#emit("unmuteAsked", sourceFromWire(event.value.source), event.value.byParticipantId);
        break;
      case "mutedByHost": {
        const publication = this.#deps.localParticipant.find(event.value.streamId, event.value.mid);
        if (publication === undefined) break;
        publication.silence().catch(() => undefined);
        this.#emit("mutedByHost", publication, event.value.byParticipantId);
        break;
      }
      case "speakersChanged":
        this.#takeSpeakers(event.value);
        break;
      case "snapshot":
        this.#takeSpeakers(event.value.speakers);
        break;
      case "slotsChanged":
        this.#deps.media.slotsChanged(event.value.session, event.value.slots);
        break;
      case "codecWanted": {
        const { streamId, mid, codec, wanted } = event.value;
        this.#deps.media.publisher?.backup(streamId, mid, codec, wanted);
        break;
      }
      case "sessionState":
        this.#deps.media.sessionState(event.value.session, event.value.state);
        break;
      case "dataReceived": {
        const { payload, topic, reliable, fromParticipantId: from } = event.value;
        this.#emit("dataReceived", { payload, topic, reliable, from }, this.remote.participants.get(from));
        break;
      }
      case "qualityChanged":
        for (const { participantId, quality } of event.value.qualities) {
          const participant = this.getParticipant(participantId);
          if (participant === undefined) continue;
          participant.connectionQuality = qualityFromWire(quality);
          this.#emit("connectionQualityChanged", participant, participant.connectionQuality);
        }
        break;
      default:
        break;
    }
  }

  /** Undefined: a server that tells of changes only. */
  #takeSpeakers(told: SpeakersChanged | undefined): void {
    if (told === undefined || !this.#speakers.update(told, (id) => this.getParticipant(id))) return;
    this.#emit("activeSpeakersChanged", this.activeSpeakers);
    this.demandsChanged();
  }

  #askSnapshot(): void {
    const generation = this.#generation;
    if (this.#snapshotAskedIn === generation) return;
    this.#snapshotAskedIn = generation;
    this.#deps.membership
      .ask({ case: "getSnapshot", value: {} })
      .then((response) => {
        if (generation !== this.#generation) return;
        if (response?.result.case !== "snapshot") return;
        this.#carryOut(this.roster.reset(response.result.value));
        this.#takeSpeakers(response.result.value.speakers);
      })
      .catch(() => undefined)
      .finally(() => {
        if (this.#snapshotAskedIn === generation) this.#snapshotAskedIn = undefined;
      });
  }

  #carryOut(changes: readonly RosterChange[]): void {
    for (const change of changes) this.#carryOutOne(change);
    if (changes.length > 0) this.demandsChanged();
  }

  #carryOutOne(change: RosterChange): void {
    switch (change.type) {
      case "joined":
      case "updated":
        if (change.participant.participantId === this.#deps.membership.participantId) {
          this.#deps.localParticipant.setWire(change.participant);
          if (change.type === "updated") this.#emit("participantUpdated", this.#deps.localParticipant);
        } else this.remote.putParticipant(change.participant);
        break;
      case "left":
        this.remote.dropParticipant(change.participant.participantId, leaveReasonFromWire(change.reason));
        break;
      case "published":
      case "stream-updated":
        this.remote.putStream(change.stream);
        break;
      case "unpublished":
        this.remote.dropStream(change.stream);
        break;
      case "room":
        this.#emit("roomUpdated", roomInfoFromWire(change.info));
        break;
      case "lobby":
        if (change.waiting.length === 0 && this.#toldLobby === 0) break;
        this.#toldLobby = change.waiting.length;
        this.#emit("lobbyChanged", this.lobby);
        break;
    }
  }

  #wireRemote(): void {
    const remote = this.remote;
    remote.on("joined", (participant) => this.#emit("participantConnected", participant));
    remote.on("updated", (participant) => this.#emit("participantUpdated", participant));
    remote.on("left", (participant, reason) => {
      this.#speakers.forget(participant.id);
      this.#emit("participantDisconnected", participant, reason);
    });
    remote.on("published", (publication, participant) => this.#emit("trackPublished", publication, participant));
    remote.on("unpublished", (publication, participant) => this.#emit("trackUnpublished", publication, participant));
    remote.on("muted", (publication, participant) => this.#emit("trackMuted", publication, participant));
    remote.on("unmuted", (publication, participant) => this.#emit("trackUnmuted", publication, participant));
  }
}
