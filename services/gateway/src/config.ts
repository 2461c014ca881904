import {
  defaultConnectionPolicy,
  defaultSocketLimits,
  type ConnectionPolicy,
  type SocketLimits,
} from "@parley/domain-connection";

export interface GatewayConfig {
  readonly policy: ConnectionPolicy;
  readonly limits: SocketLimits;
  /** Path of the WebSocket. */
  readonly path: string;
  /** Which connections live is announced this often; signaling forgets what it has not heard of for 3 s. */
  readonly presencePeriodMs: number;
  /** Deadlines, heartbeats, expiry and revocation are looked at this often. */
  readonly tickPeriodMs: number;
  /** At shutdown, clients are told to come back within this time, spread evenly, so that they do not come all at once. */
  readonly drainSpreadMs: number;
  /** Addresses and networks of reverse proxies whose word about the client's address is believed. */
  readonly trustedProxies: readonly string[];
}

export const defaultGatewayConfig: GatewayConfig = {
  policy: defaultConnectionPolicy,
  limits: defaultSocketLimits,
  path: "/v1/connect",
  presencePeriodMs: 1_000,
  tickPeriodMs: 500,
  drainSpreadMs: 2_000,
  trustedProxies: [],
};
