import type { CandidateAddress } from "@parley/domain-media-control";
import type { MediaAddress } from "@parley/protocol";

/**
 * What an answer names: the node's configured addresses; where it announces "any local address", the one that the client
 * reached us at.
 */
export function answerCandidates(addresses: readonly MediaAddress[], localIp: string): CandidateAddress[] {
  const candidates: CandidateAddress[] = [];
  const seen = new Set<string>();
  for (const { ip, udpPort, tcpPort } of addresses) {
    const address = ip === "" ? plainIp(localIp) : ip;
    const key = `${address} ${udpPort} ${tcpPort}`;
    if (address === "" || seen.has(key)) continue;
    seen.add(key);
    candidates.push({ ip: address, udpPort, tcpPort });
  }
  return candidates;
}

/** Sockets that take both families tell IPv4 addresses as ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2); zones mean nothing elsewhere. */
function plainIp(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  return mapped?.[1] ?? ip.split("%")[0] ?? ip;
}
