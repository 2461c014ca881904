import type { Speaker } from "@parley/protocol";
import type { ParticipantState } from "./participant-state.ts";

/** Levels on the wire, as in RFC 6464 turned round: 127 is loudest. */
const loudest = 127;

/** Who speaks now, loudest first, and who spoke last. */
export class ActiveSpeakers {
  #now: readonly ParticipantState[] = [];
  #lastSpoke = new Map<string, number>();
  #count = 0;

  get now(): readonly ParticipantState[] {
    return this.#now;
  }

  /** Smaller: spoke later. Never spoke: infinity. */
  rankOf(participantId: string): number {
    const last = this.#lastSpoke.get(participantId);
    return last === undefined ? Infinity : this.#count - last;
  }

  update(speakers: readonly Speaker[], find: (id: string) => ParticipantState | undefined): void {
    for (const participant of this.#now) {
      participant.isSpeaking = false;
      participant.audioLevel = 0;
    }
    this.#count += 1;
    const now: ParticipantState[] = [];
    for (const { participantId, level } of speakers) {
      const participant = find(participantId);
      if (participant === undefined || now.includes(participant)) continue;
      participant.isSpeaking = true;
      participant.audioLevel = Math.min(1, level / loudest);
      this.#lastSpoke.set(participantId, this.#count);
      now.push(participant);
    }
    this.#now = now;
  }

  forget(participantId: string): void {
    this.#lastSpoke.delete(participantId);
    this.#now = this.#now.filter(({ id }) => id !== participantId);
  }
}
