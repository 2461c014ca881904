import { networkInterfaces } from "node:os";
import { generateCertificate, startNativePlane, type NativeMediaPlane } from "@parley/adapter-media-native";
import { randomId, type Bus } from "@parley/foundation";
import { createMediaNode, type MediaNodeConfig } from "@parley/service-media";
import type { Config } from "./config/schema.ts";
import type { ProgramDeps } from "./program-deps.ts";

export interface MediaRoleDeps extends ProgramDeps {
  readonly bus: Bus;
  /** 16 bytes, shared with signaling. */
  readonly ufragKey: Uint8Array;
}

/** The media node with its data plane, as one part of the program. */
export interface MediaRole {
  drain(): void;
  sessions(): number;
  /** Ends the sessions, then the data plane's threads. */
  close(): Promise<void>;
}

/** Binds the media ports and starts a media node. Throws when an address cannot be bound or the addon does not fit. */
export function startMediaRole(config: Config, deps: MediaRoleDeps): MediaRole {
  const { media } = config;
  const plane = startNativePlane({
    udpPort: media.udpPort,
    tcpPort: media.tcpPort < 0 ? undefined : media.tcpPort,
    bind: media.bind.length > 0 ? media.bind : wildcardAddresses(),
    threads: media.threads,
    ufragKey: deps.ufragKey,
    scheduling: media.scheduling,
    segmentation: media.udpSegmentation,
  });
  const node = createMediaNode({
    nodeId: randomId(deps.random),
    plane,
    // A node's own, fresh at each start: a PeerConnection does not outlive its node anyway.
    certificate: generateCertificate(),
    bus: deps.bus,
    clock: deps.clock,
    random: deps.random,
    logger: deps.logger,
    metrics: deps.metrics,
    ...(deps.followFeedback === undefined ? {} : { followFeedback: deps.followFeedback }),
    config: {
      addresses: answerAddresses(config, plane),
      localIps: media.bind.length > 0 ? [] : machineAddresses(),
      session: { keyFrameIntervalMs: media.keyFrameIntervalMs },
    },
  });
  node.start();
  const bound = plane.endpoints.map(
    ({ protocol, ip, port }) => `${protocol} ${ip.includes(":") ? `[${ip}]` : ip}:${port}`,
  );
  deps.logger.info("media ports are open", { endpoints: bound.join(", "), threads: plane.threads });
  return {
    drain: () => node.drain(),
    sessions: () => node.sessions,
    close: async () => {
      node.close();
      await plane.close();
    },
  };
}

/** All addresses of the machine; those of IPv6 only where there is any, because binding `::` fails elsewhere. */
function wildcardAddresses(): readonly string[] {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family }) => family === "IPv6"),
  );
  return hasIpv6 ? ["0.0.0.0", "::"] : ["0.0.0.0"];
}

/** The machine's addresses that a client on it can use: neither loopback nor link-local, which needs a scope. */
function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family, address }) => !internal && !(family === "IPv6" && address.startsWith("fe80")))
    .slice(0, MAX_MACHINE_ADDRESSES)
    .map(({ address }) => address);
}

/** Each is two more candidates to check; a machine with containers may have dozens of addresses. */
const MAX_MACHINE_ADDRESSES = 4;

/** What answers may name. The empty address stands for the one at which the client reached the API. */
function answerAddresses(config: Config, plane: NativeMediaPlane): MediaNodeConfig["addresses"] {
  const portOf = (protocol: "udp" | "tcp"): number =>
    plane.endpoints.find((endpoint) => endpoint.protocol === protocol)?.port ?? 0;
  const ports = { udpPort: portOf("udp"), tcpPort: portOf("tcp") };
  const ips = config.media.announce.length > 0 ? config.media.announce : [""];
  return ips.map((ip) => ({ ip, ...ports }));
}
