import type { TokenVerifier } from "@parley/domain-access";
import type { Bus, Clock, Logger, Metrics, Random } from "@parley/foundation";

export interface GatewayDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Cryptographic: resume tokens come from it. */
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Verifies tokens, and tells of living connections whether theirs was revoked. */
  readonly tokens: Pick<TokenVerifier, "verify" | "isRevoked" | "revoke">;
  /** Of this process, in presence announcements. */
  readonly ownerId: string;
  readonly serverVersion: string;
}
