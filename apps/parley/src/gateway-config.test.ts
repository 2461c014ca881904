import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultGatewayConfig } from "@parley/service-gateway";
import { loadConfig } from "./config/load-config.ts";
import { gatewayConfig } from "./gateway-config.ts";

function fromYaml(text: string): ReturnType<typeof gatewayConfig> {
  const config = loadConfig({ file: { name: "p.yaml", text }, environment: {}, flags: [], dev: true });
  assert(config.ok, JSON.stringify(config));
  return gatewayConfig(config.value);
}

test("[SIG-1] an empty configuration gives the gateway the limits of its specification", () => {
  assert.deepEqual(fromYaml(""), defaultGatewayConfig);
});

test("[SIG-1] each limit of the configuration reaches the gateway", () => {
  const { limits, policy, trustedProxies } = fromYaml(`
http: { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] }
limits:
  connections: 1001
  connectionsPerUser: 2
  connectionsPerAddress: 31
  connectingPerAddress: 4
  frameBytes: 20000
  framesPerSecond: 60
  requestsPerSecond: 7
  pendingRequests: 8
  offersPerSecondPerUser: 9
  changesPerSecondPerUser: 10
  dataMessageBytes: 11
  dataMessagesPerSecond: 12
  roomsPerConnection: 13
  outboundQueueBytes: 140000
  outboundLossyBytes: 15000
`);
  assert.deepEqual(trustedProxies, ["127.0.0.1", "10.0.0.0/8"]);
  assert.deepEqual(limits, { maxSockets: 1001, maxPerUser: 2, maxPerAddress: 31, maxUnauthenticatedPerAddress: 4 });
  const { maxFrameBytes, framesPerSecond, frameBurst, requestsPerSecond, requestBurst, maxPendingRequests } = policy;
  assert.deepEqual(
    [maxFrameBytes, framesPerSecond, frameBurst, requestsPerSecond, requestBurst, maxPendingRequests],
    [20_000, 60, 120, 7, 14, 8],
  );
  const { offersPerSecond, changesPerSecond, dataMessageBytes, dataMessagesPerSecond } = policy;
  assert.deepEqual([offersPerSecond, changesPerSecond, dataMessageBytes, dataMessagesPerSecond], [9, 10, 11, 12]);
  const { maxRoomsPerConnection, closeWatermarkBytes, lossyWatermarkBytes } = policy;
  assert.deepEqual([maxRoomsPerConnection, closeWatermarkBytes, lossyWatermarkBytes], [13, 140_000, 15_000]);
});
