import type { Participant, Stream } from "@parley/protocol";

/** What is compared of participants, in one order. */
export function plainParticipants(participants: readonly Participant[]) {
  return participants
    .map(({ participantId, userId, handRaised, attributes, permissions }) => ({
      participantId,
      userId,
      hand: handRaised,
      attributes,
      publish: permissions?.publish ?? false,
      subscribe: permissions?.subscribe ?? false,
    }))
    .sort(byKey);
}

/** What is compared of streams, in one order. */
export function plainStreams(streams: readonly Stream[]) {
  return streams
    .map(({ streamId, participantId, name, tracks }) => ({
      streamId,
      participantId,
      name,
      tracks: tracks.map(({ mid, muted }) => `${mid} ${muted ? "muted" : ""}`).sort(),
    }))
    .sort(byKey);
}

/** Any order will do, as long as it is one. */
export function byKey(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
