import { create, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "@parley/foundation";
import { ConnectionGoneSchema, ConnectionPresenceSchema } from "@parley/protocol";
import type { HeldConnection } from "./held-connection.ts";

/** Connections in one announcement: about 100 bytes each stays far below a bus message's limit (NATS: 1 MB). */
const connectionsPerAnnouncement = 2_000;

/** Tells everybody which connections live, and in which rooms. */
export function announcePresence(bus: Bus, ownerId: string, held: Iterable<HeldConnection>): void {
  let connections: { appId: string; connectionId: string; roomIds: string[] }[] = [];
  const publish = (): void => {
    const presence = create(ConnectionPresenceSchema, { ownerId, connections });
    bus.publish("conn.presence", toBinary(ConnectionPresenceSchema, presence));
    connections = [];
  };
  for (const { connection } of held) {
    if (connection.rooms.size === 0) continue;
    connections.push({
      appId: connection.appId,
      connectionId: connection.connectionId,
      roomIds: [...connection.rooms],
    });
    if (connections.length >= connectionsPerAnnouncement) publish();
  }
  publish();
}

export function announceGone(bus: Bus, appId: string, connectionId: string): void {
  bus.publish("conn.gone", toBinary(ConnectionGoneSchema, create(ConnectionGoneSchema, { appId, connectionId })));
}
