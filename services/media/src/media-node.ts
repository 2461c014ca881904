import type { DtlsCertificate, MediaPlane } from "@parley/domain-media-control";
import type { Bus, Clock, Logger, Random } from "@parley/foundation";

/** A media node: keeps its sessions in the state signaling grants, and tells how they are. */
export interface MediaNode {
  /** Subscribes and announces. Once. */
  start(): void;
  /** From now on no new session is taken, and announcements say so. Those there are live on. */
  drain(): void;
  /** Ends every session (status `closed`) and stops. The plane stays open: its owner closes it. */
  close(): void;
  readonly sessions: number;
}

export interface MediaNodeDeps {
  readonly nodeId: string;
  readonly plane: MediaPlane;
  readonly certificate: DtlsCertificate;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: MediaNodeConfig;
}

export interface MediaNodeConfig {
  /** What answers may name. */
  readonly addresses: readonly { readonly ip: string; readonly udpPort: number; readonly tcpPort: number }[];
  readonly maxSessions?: number;
}
