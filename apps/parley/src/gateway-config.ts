import { defaultGatewayConfig, type GatewayConfig } from "@parley/service-gateway";
import { defaultRoomLimits, type RoomLimits } from "@parley/service-signaling";
import type { Config } from "./config/schema.ts";

/** At once, as a multiple of the rate: what a client sends when it joins. */
const burstFactor = 2;
const offerBurstFactor = 4;
const changeBurstFactor = 3;

/** The gateway's part of the configuration. */
export function gatewayConfig({ http, limits }: Config): GatewayConfig {
  return {
    ...defaultGatewayConfig,
    trustedProxies: http.trustedProxies,
    limits: {
      maxSockets: limits.connections,
      maxPerUser: limits.connectionsPerUser,
      maxPerAddress: limits.connectionsPerAddress,
      maxUnauthenticatedPerAddress: limits.connectingPerAddress,
    },
    policy: {
      ...defaultGatewayConfig.policy,
      maxFrameBytes: limits.frameBytes,
      framesPerSecond: limits.framesPerSecond,
      frameBurst: limits.framesPerSecond * burstFactor,
      requestsPerSecond: limits.requestsPerSecond,
      requestBurst: limits.requestsPerSecond * burstFactor,
      maxPendingRequests: limits.pendingRequests,
      offersPerSecond: limits.offersPerSecondPerUser,
      offerBurst: limits.offersPerSecondPerUser * offerBurstFactor,
      changesPerSecond: limits.changesPerSecondPerUser,
      changeBurst: limits.changesPerSecondPerUser * changeBurstFactor,
      dataMessageBytes: limits.dataMessageBytes,
      dataMessagesPerSecond: limits.dataMessagesPerSecond,
      dataMessageBurst: limits.dataMessagesPerSecond * burstFactor,
      maxRoomsPerConnection: limits.roomsPerConnection,
      closeWatermarkBytes: limits.outboundQueueBytes,
      lossyWatermarkBytes: limits.outboundLossyBytes,
    },
  };
}

/** Rooms have limits of their own against gateways of another configuration; they are never below the gateway's. */
export function roomLimits({ limits }: Config): Partial<RoomLimits> {
  const { maxDataBytes, dataMessagesPerSecond, dataMessageBurst } = defaultRoomLimits;
  return {
    maxDataBytes: Math.max(maxDataBytes, limits.dataMessageBytes),
    dataMessagesPerSecond: Math.max(dataMessagesPerSecond, limits.dataMessagesPerSecond),
    dataMessageBurst: Math.max(dataMessageBurst, limits.dataMessagesPerSecond * burstFactor),
  };
}
