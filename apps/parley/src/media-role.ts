import { generateCertificate, startNativePlane } from "@parley/adapter-media-native";
import { type Bus, randomId } from "@parley/foundation";
import { createMediaNode } from "@parley/service-media";
import type { ProgramDeps } from "./composition-root.ts";
import type { Config } from "./config/schema.ts";

export interface MediaRoleDeps extends ProgramDeps {
  readonly bus: Bus;
  readonly ufragKey: Uint8Array;
}

export interface MediaRole {
  drain(): void;
  sessions(): number;
  close(): Promise<void>;
}

/** Clients hear of the end (RTCP BYE, DTLS close_notify) before the sockets close. */
const lastDatagramsMs = 50;

/** The data plane with its control loop. Rejects when a port cannot be had. */
export async function startMediaRole(config: Config, deps: MediaRoleDeps): Promise<MediaRole> {
  const { media } = config;
  const { clock, logger } = deps;
  const plane = startNativePlane({
    bind: media.bind.length > 0 ? media.bind : ["0.0.0.0", "::"],
    udpPort: media.udpPort,
    tcpPort: media.tcpPort < 0 ? undefined : media.tcpPort,
    threads: media.threads,
    ufragKey: deps.ufragKey,
    scheduling: media.scheduling,
    segmentation: media.udpSegmentation,
  });
  const portOf = (protocol: "udp" | "tcp"): number =>
    plane.endpoints.find((endpoint) => endpoint.protocol === protocol)?.port ?? 0;
  const udpPort = portOf("udp");
  const tcpPort = portOf("tcp");
  // An empty address stands for the local one of the client's HTTP connection.
  const ips = media.announce.length > 0 ? media.announce : [""];
  const node = createMediaNode({
    nodeId: randomId(deps.random),
    plane,
    certificate: generateCertificate(),
    bus: deps.bus,
    clock,
    random: deps.random,
    logger,
    metrics: deps.metrics,
    config: {
      addresses: ips.map((ip) => ({ ip, udpPort, tcpPort })),
      session: { keyFrameIntervalMs: media.keyFrameIntervalMs },
    },
  });
  node.start();
  return {
    drain: () => node.drain(),
    sessions: () => node.sessions,
    close: async () => {
      node.close();
      await new Promise<void>((resolve) => void clock.after(lastDatagramsMs, resolve));
      await plane.close();
    },
  };
}
