import type {
  ConnectionQuality,
  ConnectionState,
  JoinedRoom,
  LobbyGuest,
  LocalTrackPublication,
  Participant,
  RemoteParticipant,
  RemoteTrackPublication,
} from "@parley/sdk";
import type { ChatMessage } from "./chat.ts";
import type { Notice } from "./notices.ts";

/** Somebody in the list of people. */
export interface PersonView {
  readonly id: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly isHost: boolean;
  readonly handRaised: boolean;
  readonly isSpeaking: boolean;
  readonly quality: ConnectionQuality;
  readonly microphone: boolean;
  readonly camera: boolean;
  readonly sharing: boolean;
}

/** A tile: somebody, or a screen. */
export interface TileView {
  /** Stays the same while the tile is there. */
  readonly key: string;
  readonly kind: "person" | "screen";
  readonly person: PersonView;
  /** What is to be seen of others; undefined: no picture (camera off). */
  readonly remote: RemoteTrackPublication | undefined;
  /** What is to be seen of ourselves. */
  readonly local: MediaStreamTrack | undefined;
  /** Why there is no picture although there should be one. */
  readonly problem: string | undefined;
}

/** Everything that the meeting's screen shows; a new object after every change. */
export interface MeetingView {
  readonly connection: ConnectionState;
  /** Connected, but sound and pictures do not flow (yet). */
  readonly mediaLost: boolean;
  readonly isWaiting: boolean;
  readonly roomId: string;
  /** The room we came for: another one than `roomId` in a breakout. */
  readonly homeRoomId: string;
  readonly me: PersonView;
  /** Us first. */
  readonly people: readonly PersonView[];
  /** Screens first, then us, then the others as they came. */
  readonly tiles: readonly TileView[];
  /** Keys of tiles, loudest first; without us. */
  readonly speaking: readonly string[];
  readonly canHost: boolean;
  readonly canPublish: boolean;
  readonly canChat: boolean;
  readonly lobby: readonly LobbyGuest[];
  readonly lobbyEnabled: boolean;
  readonly locked: boolean;
  readonly needsClickForSound: boolean;
  readonly microphone: boolean;
  readonly camera: boolean;
  readonly sharing: boolean;
  readonly handRaised: boolean;
  readonly chat: readonly ChatMessage[];
  readonly unread: number;
  readonly notices: readonly Notice[];
  /** Breakout rooms that we have opened as host. */
  readonly breakouts: readonly string[];
}

export function personView(participant: Participant): PersonView {
  return {
    id: participant.id,
    name: participant.name === "" ? participant.userId : participant.name,
    isLocal: participant.isLocal,
    isHost: participant.permissions.moderate,
    handRaised: participant.handRaised,
    isSpeaking: participant.isSpeaking,
    quality: participant.connectionQuality,
    microphone: participant.isMicrophoneEnabled,
    camera: participant.isCameraEnabled,
    sharing: participant.isScreenShareEnabled,
  };
}

export const tileKey = (participantId: string, kind: TileView["kind"]): string => `${kind} ${participantId}`;

/** Tiles of everybody, screens first. */
export function tilesOf(room: JoinedRoom): readonly TileView[] {
  const { localParticipant: local } = room;
  const others = [...room.remoteParticipants.values()];
  const screens = others.flatMap((one) => remoteScreen(one));
  return [...ownScreen(local), ...screens, ownTile(local), ...others.map(remoteTile)];
}

type Local = JoinedRoom["localParticipant"];

function ownTile(local: Local): TileView {
  return {
    key: tileKey("me", "person"),
    kind: "person",
    person: personView(local),
    remote: undefined,
    local: shown(local.getPublication("camera")),
    problem: undefined,
  };
}

function ownScreen(local: Local): readonly TileView[] {
  const track = shown(local.getPublication("screen"));
  if (track === undefined) return [];
  const person = personView(local);
  return [
    { key: tileKey("me", "screen"), kind: "screen", person, remote: undefined, local: track, problem: undefined },
  ];
}

function shown(publication: LocalTrackPublication | undefined): MediaStreamTrack | undefined {
  return publication === undefined || publication.muted ? undefined : publication.track;
}

function remoteTile(participant: RemoteParticipant): TileView {
  const publication = participant.getPublication("camera") ?? participant.getPublication("custom");
  const video = publication?.kind === "video" && !publication.muted ? publication : undefined;
  return {
    key: tileKey(participant.id, "person"),
    kind: "person",
    person: personView(participant),
    remote: video,
    local: undefined,
    problem: video?.subscriptionError?.code,
  };
}

function remoteScreen(participant: RemoteParticipant): readonly TileView[] {
  const publication = participant.getPublication("screen");
  if (publication === undefined || publication.muted) return [];
  return [
    {
      key: tileKey(participant.id, "screen"),
      kind: "screen",
      person: personView(participant),
      remote: publication,
      local: undefined,
      problem: publication.subscriptionError?.code,
    },
  ];
}
