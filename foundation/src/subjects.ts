import { fromBase64url, subjectToken } from "./ids.ts";

/**
 * The bus subjects of rooms, sessions and connections, in one place, so that both ends agree on how ids become tokens: names that somebody
 * chose (app, room, node) go through {@link subjectToken}; ids that Parley minted (`randomId`) are tokens as they are.
 */
export const subjects = {
  /** Every media node, every 250 ms: NodeAnnouncement. */
  mediaAnnounce: "media.announce",
  /** Request by a media node: GrantRequest; the reply is a SessionGrant, empty when the ufrag is unknown. */
  mediaGrantGet: "media.grant.get",
  /** Published by a signaling process that starts: nodes answer by publishing every grant they hold on `mediaGrantsHeld`. */
  mediaGrantsWanted: "media.grants.wanted",
  /** SessionGrant as a node holds it, in answer to `mediaGrantsWanted`. */
  mediaGrantsHeld: "media.grants.held",
  /** SessionGrant, signaling to one node. */
  mediaGrant: (nodeId: string): string => `media.${subjectToken(nodeId)}.grant`,
  /** StandingGrants, signaling to one node. */
  mediaStanding: (nodeId: string): string => `media.${subjectToken(nodeId)}.standing`,
  /** SessionStatus, a node to the room's owner. */
  mediaStatus: (appId: string, roomId: string): string => `media.status.${subjectToken(appId)}.${subjectToken(roomId)}`,
  mediaStatusAll: "media.status.*.*",
  /** AudioLevels, a node to all owners of rooms. */
  mediaLevels: "media.levels",
  /** Request: RoomCommand; the reply is a RoomCommandReply. */
  roomCommand: (appId: string, roomId: string): string => `room.${subjectToken(appId)}.${subjectToken(roomId)}.command`,
  roomCommandAll: "room.*.*.command",
  /** Request between the owners of two rooms: RoomTransfer; the reply is a RoomTransferReply. */
  roomTransfer: (appId: string, roomId: string): string =>
    `room.${subjectToken(appId)}.${subjectToken(roomId)}.transfer`,
  roomTransferAll: "room.*.*.transfer",
  /** RoomTransferSettled, to the owner of the room that took participants in. */
  roomTransferSettled: (appId: string, roomId: string): string =>
    `room.${subjectToken(appId)}.${subjectToken(roomId)}.settled`,
  roomTransferSettledAll: "room.*.*.settled",
  /** RoomEventDelivery, to a process that holds connections, for all of them that it concerns. */
  ownerEvent: (ownerId: string): string => `owner.${subjectToken(ownerId)}.event`,
  /** RoomEventDelivery, to whoever holds the connection. */
  connectionEvent: (connectionId: string): string => `conn.${mintedToken(connectionId)}.event`,
  /** ConnectionPresence, every second, by every process that holds connections. */
  connectionPresence: "conn.presence",
  /** TokenRevocations. */
  accessRevocations: "access.revocations",
  /** TokenRevocationsWanted. */
  accessRevocationsWanted: "access.revocations.wanted",
  /** ConnectionGone. */
  connectionGone: "conn.gone",
} as const;

/** An id that `randomId` made is a token as it is; anything else is made one. */
function mintedToken(id: string): string {
  return id !== "" && fromBase64url(id) !== undefined ? id : subjectToken(id);
}
