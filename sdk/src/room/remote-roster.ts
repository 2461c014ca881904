import type { Participant as WireParticipant, Stream } from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import type { LeaveReason } from "../api/values.ts";
import { RemoteParticipantState } from "./remote-participant.ts";
import { publicationId, RemotePublication, type PublicationDeps } from "./remote-publication.ts";

export interface RemoteRosterEvents {
  joined: readonly [participant: RemoteParticipantState];
  updated: readonly [participant: RemoteParticipantState];
  left: readonly [participant: RemoteParticipantState, reason: LeaveReason];
  published: readonly [publication: RemotePublication, participant: RemoteParticipantState];
  unpublished: readonly [publication: RemotePublication, participant: RemoteParticipantState];
  muted: readonly [publication: RemotePublication, participant: RemoteParticipantState];
  unmuted: readonly [publication: RemotePublication, participant: RemoteParticipantState];
}

/** The others as objects: kept the same while what they stand for is there. */
export class RemoteRoster extends TypedEmitter<RemoteRosterEvents> {
  readonly participants = new Map<string, RemoteParticipantState>();
  readonly #deps: PublicationDeps;

  constructor(deps: PublicationDeps) {
    super();
    this.#deps = deps;
  }

  *publications(): Iterable<RemotePublication> {
    for (const { publications } of this.participants.values()) yield* publications.values();
  }

  ownerOf(publication: RemotePublication): RemoteParticipantState | undefined {
    for (const participant of this.participants.values()) {
      if (participant.publications.get(publication.id) === publication) return participant;
    }
    return undefined;
  }

  putParticipant(wire: WireParticipant): void {
    const known = this.participants.get(wire.participantId);
    if (known !== undefined) {
      known.setWire(wire);
      this.emit("updated", known);
      return;
    }
    const participant = new RemoteParticipantState(wire);
    this.participants.set(wire.participantId, participant);
    this.emit("joined", participant);
  }

  dropParticipant(participantId: string, reason: LeaveReason): void {
    const participant = this.participants.get(participantId);
    if (participant === undefined) return;
    for (const publication of [...participant.publications.values()]) this.#unpublish(publication, participant);
    this.participants.delete(participantId);
    this.emit("left", participant, reason);
  }

  putStream(stream: Stream): void {
    const participant = this.participants.get(stream.participantId);
    if (participant === undefined) return;
    // Its publisher is making a new PeerConnection (a stream whose last track is unpublished ends): nobody has to go for that.
    if (stream.tracks.length === 0) {
      for (const publication of participant.publications.values()) {
        if (publication.streamId === stream.streamId) publication.suspend();
      }
      return;
    }
    // The same picture in another codec, for those who cannot decode the first: the server chooses.
    const tracks = stream.tracks.filter(({ backupOf }) => backupOf === "");
    const present = new Set(tracks.map(({ mid }) => publicationId(stream.streamId, mid)));
    for (const publication of [...participant.publications.values()]) {
      if (publication.streamId === stream.streamId && !present.has(publication.id))
        this.#unpublish(publication, participant);
    }
    for (const track of tracks) {
      const known = participant.publications.get(publicationId(stream.streamId, track.mid));
      if (known === undefined) {
        const publication = new RemotePublication(stream, track, this.#deps);
        participant.publications.set(publication.id, publication);
        this.emit("published", publication, participant);
      } else {
        const change = known.update(stream, track);
        if (change !== "updated") this.emit(change, known, participant);
      }
    }
  }

  dropStream(stream: Stream): void {
    const participant = this.participants.get(stream.participantId);
    if (participant === undefined) return;
    for (const publication of [...participant.publications.values()]) {
      if (publication.streamId === stream.streamId) this.#unpublish(publication, participant);
    }
  }

  clear(reason: LeaveReason): void {
    for (const id of [...this.participants.keys()]) this.dropParticipant(id, reason);
  }

  #unpublish(publication: RemotePublication, participant: RemoteParticipantState): void {
    participant.publications.delete(publication.id);
    publication.close();
    this.emit("unpublished", publication, participant);
  }
}
