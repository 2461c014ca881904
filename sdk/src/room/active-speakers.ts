import type { SpeakersChanged } from "@parley/protocol";
import type { ParticipantState } from "./participant-state.ts";

/** Levels on the wire, as in RFC 6464 turned round: 127 is loudest. */
const loudest = 127;

/** Who speaks now, loudest first, and who spoke last. */
export class ActiveSpeakers {
  #now: readonly ParticipantState[] = [];
  /** Of what is known; 0: nothing yet, or from a server that does not number it. */
  #revision = 0n;
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

  /** Another room, or the same one under another owner: what was known of the former says nothing of this one. */
  reset(): void {
    this.#revision = 0n;
  }

  /** Whether that was news: what is told again, or comes late, is none. */
  update({ speakers, revision }: SpeakersChanged, find: (id: string) => ParticipantState | undefined): boolean {
    if (revision !== 0n && revision <= this.#revision) return false;
    const before = this.#now;
    for (const participant of before) {
      participant.isSpeaking = false;
      participant.audioLevel = 0;
    }
    this.#count += 1;
    const now: ParticipantState[] = [];
    let isWhole = true;
    for (const { participantId, level } of speakers) {
      const participant = find(participantId);
      isWhole &&= participant !== undefined;
      if (participant === undefined || now.includes(participant)) continue;
      participant.isSpeaking = true;
      participant.audioLevel = Math.min(1, level / loudest);
      this.#lastSpoke.set(participantId, this.#count);
      now.push(participant);
    }
    this.#now = now;
    // It comes again: by then we may have heard of everybody in it.
    if (isWhole) this.#revision = revision;
    return before.length > 0 || now.length > 0;
  }

  forget(participantId: string): void {
    this.#lastSpoke.delete(participantId);
    this.#now = this.#now.filter(({ id }) => id !== participantId);
  }
}
