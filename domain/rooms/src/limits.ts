/** What a room may grow to. Each bound keeps one client from costing the others more than a fair share. */
export interface RoomLimits {
  /** Of a conference; a one-to-one room has two. Above this, everybody's events to everybody (n squared) want a live class instead. */
  readonly maxParticipants: number;
  /** Of a live class, viewers included: they are counted, not listed, so their number costs little. */
  readonly maxLiveClassParticipants: number;
  /** Camera, screen, and a few custom ones. */
  readonly maxStreamsPerParticipant: number;
  readonly maxTracksPerStream: number;
  /** "pub" and "sub", and one of each that is being made while the old one dies. */
  readonly maxSessionsPerParticipant: number;
  /** A page of 25 tiles has 50 slots; an offer of 64 sections is some 100 kB already. */
  readonly maxSlotsPerSession: number;
  /** Sections that one request may name, with its bindings: an offer has 256 at most, and each refused one costs a line in the answer. */
  readonly maxNamedSections: number;
  /** Keys and values of one map, in UTF-8 bytes: they travel in every snapshot. */
  readonly maxAttributesBytes: number;
  readonly maxDataBytes: number;
  readonly dataMessagesPerSecond: number;
  /** Messages that may come at once after a quiet while. */
  readonly dataMessageBurst: number;
  readonly maxRooms: number;
  /** A connection that nobody has announced for so long leaves. Three announcements. */
  readonly presenceTimeoutMs: number;
  /** A stream whose session was lost keeps its id for so long, so that a publisher that reconnects keeps its place on every screen. */
  readonly orphanedStreamMs: number;
}

export const defaultRoomLimits: RoomLimits = {
  maxParticipants: 500,
  maxLiveClassParticipants: 50_000,
  maxStreamsPerParticipant: 8,
  maxTracksPerStream: 6,
  maxSessionsPerParticipant: 4,
  maxSlotsPerSession: 64,
  maxNamedSections: 256,
  maxAttributesBytes: 8_192,
  maxDataBytes: 16_384,
  dataMessagesPerSecond: 50,
  dataMessageBurst: 100,
  maxRooms: 100_000,
  presenceTimeoutMs: 3_000,
  orphanedStreamMs: 10_000,
};
