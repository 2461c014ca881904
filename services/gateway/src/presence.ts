import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { subjects, type Bus } from "@parley/foundation";
import {
  encodeMessage,
  ConnectionGoneSchema,
  ConnectionPresenceSchema,
  type ConnectionAliveSchema,
} from "@parley/protocol";
import type { HeldConnection } from "./held-connection.ts";

/** Connections in one announcement: about 100 bytes each stays far below a bus message's limit (NATS: 1 MB). */
const connectionsPerAnnouncement = 2_000;

/** Tells everybody which connections live, and in which rooms. */
export function announcePresence(bus: Bus, ownerId: string, held: Iterable<HeldConnection>): void {
  let connections: MessageInitShape<typeof ConnectionAliveSchema>[] = [];
  const publish = (): void => {
    const presence = create(ConnectionPresenceSchema, { ownerId, connections });
    bus.publish(subjects.connectionPresence, encodeMessage(ConnectionPresenceSchema, presence));
    connections = [];
  };
  for (const { connection, token } of held) {
    if (connection.rooms.size === 0) continue;
    connections.push({
      appId: connection.appId,
      connectionId: connection.connectionId,
      roomIds: [...connection.rooms],
      tokenExpiresAtUnixMs: BigInt(Math.floor(token.expiresAtUnixMs)),
      tokenRoomId: token.grants.room ?? "",
    });
    if (connections.length >= connectionsPerAnnouncement) publish();
  }
  publish();
}

export function announceGone(bus: Bus, appId: string, connectionId: string): void {
  bus.publish(
    subjects.connectionGone,
    encodeMessage(ConnectionGoneSchema, create(ConnectionGoneSchema, { appId, connectionId })),
  );
}
