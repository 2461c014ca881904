import type { SessionGrant } from "@parley/protocol";

/** Some 40 bytes each: far below a bus message's limit (NATS: 1 MB). */
const sessionsPerMessage = 5_000;

interface StandingRoom {
  readonly appId: string;
  readonly roomId: string;
  readonly sessions: { readonly sessionId: string; readonly revision: bigint }[];
}

/** Sessions of one node that are still wanted as it has acknowledged them. */
export interface StandingOutput {
  readonly type: "standing-grants";
  readonly nodeId: string;
  readonly nodeBootId: bigint;
  readonly rooms: readonly StandingRoom[];
}

/** Brings together what goes to the same node. */
export function groupStanding(
  kept: readonly { readonly nodeId: string; readonly grant: SessionGrant }[],
): StandingOutput[] {
  const outputs: StandingOutput[] = [];
  const open = new Map<
    string,
    { readonly rooms: StandingRoom[]; readonly byRoom: Map<string, StandingRoom>; count: number }
  >();
  for (const { nodeId, grant } of kept) {
    const { appId, roomId, sessionId, revision, nodeBootId } = grant;
    const nodeKey = `${nodeBootId} ${nodeId}`;
    let message = open.get(nodeKey);
    if (message === undefined || message.count >= sessionsPerMessage) {
      message = { rooms: [], byRoom: new Map(), count: 0 };
      open.set(nodeKey, message);
      outputs.push({ type: "standing-grants", nodeId, nodeBootId, rooms: message.rooms });
    }
    const roomKey = JSON.stringify([appId, roomId]);
    let room = message.byRoom.get(roomKey);
    if (room === undefined) {
      room = { appId, roomId, sessions: [] };
      message.byRoom.set(roomKey, room);
      message.rooms.push(room);
    }
    room.sessions.push({ sessionId, revision });
    message.count += 1;
  }
  return outputs;
}
