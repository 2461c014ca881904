import type { Counter, Metrics } from "@parley/foundation";

export interface GatewayMetrics {
  readonly framesSent: Counter;
  readonly framesReceived: Counter;
  readonly commands: Counter;
  readonly droppedLossy: Counter;
  /** By error name. */
  readonly refused: Counter;
  readonly resumes: Counter;
}

export function gatewayMetrics(metrics: Metrics, read: () => { sockets: number; connections: number }): GatewayMetrics {
  const sockets = metrics.gauge({ name: "parley_gateway_sockets", help: "Open WebSockets." });
  const connections = metrics.gauge({
    name: "parley_gateway_connections",
    help: "Connections, those that wait for a resume included.",
  });
  metrics.onCollect(() => {
    const now = read();
    sockets.set(now.sockets);
    connections.set(now.connections);
  });
  const counter = (name: string, help: string, labels: readonly string[] = []): Counter =>
    metrics.counter({ name: `parley_gateway_${name}_total`, help, labels });
  return {
    framesSent: counter("frames_sent", "Frames to clients."),
    framesReceived: counter("frames_received", "Frames from clients."),
    commands: counter("commands", "Requests passed on to rooms."),
    droppedLossy: counter("dropped_lossy", "Lossy events dropped because a socket was slow."),
    refused: counter("refused", "Sockets refused or ended, by error.", ["error"]),
    resumes: counter("resumes", "Asked resumes, by outcome.", ["outcome"]),
  };
}
