import type { RoomHost } from "@parley/domain-rooms";
import type { Counter, Metrics } from "@parley/foundation";
import type { RoomCommand } from "@parley/protocol";
import type { NodeTable } from "./node-table.ts";

export class SignalingMetrics {
  readonly #commands: Counter;

  constructor(metrics: Metrics, host: () => RoomHost, nodes: NodeTable) {
    this.#commands = metrics.counter({
      name: "parley_room_commands_total",
      help: "Commands of clients that came to rooms.",
      labels: ["method"],
    });
    const rooms = metrics.gauge({ name: "parley_rooms", help: "Rooms owned by this process." });
    const participants = metrics.gauge({ name: "parley_participants", help: "Participants in this process's rooms." });
    const sessions = metrics.gauge({ name: "parley_sessions", help: "Sessions granted by this process." });
    const live = metrics.gauge({ name: "parley_media_nodes_live", help: "Media nodes heard of in the last 750 ms." });
    metrics.onCollect(() => {
      rooms.set(host().roomCount);
      participants.set(host().participantCount);
      sessions.set(host().sessionCount);
      live.set(nodes.size);
    });
  }

  countCommand(command: RoomCommand): void {
    this.#commands.add(1, [command.request?.method.case ?? "none"]);
  }
}
