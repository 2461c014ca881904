import type { RemoteParticipant } from "../api/participant.ts";
import type { TrackSource } from "../api/values.ts";
import { ParticipantState } from "./participant-state.ts";
import type { RemotePublication } from "./remote-publication.ts";

export class RemoteParticipantState extends ParticipantState implements RemoteParticipant {
  readonly isLocal = false;
  readonly publications = new Map<string, RemotePublication>();

  getPublication(source: TrackSource): RemotePublication | undefined {
    for (const publication of this.publications.values()) if (publication.source === source) return publication;
    return undefined;
  }
}
