import type { CandidateAddress } from "@parley/domain-media-control";
import type { NodeAnnouncement } from "@parley/protocol";

/**
 * What an answer names: the node's configured addresses; where it announces "any local address", the one that the client
 * reached us at. A client that reached us by loopback is on this machine, and gets the machine's other addresses too, behind that one:
 * Firefox has no loopback candidate of its own and sends nothing to ours.
 */
export function answerCandidates(
  { addresses, localIps }: Pick<NodeAnnouncement, "addresses" | "localIps">,
  localIp: string,
): CandidateAddress[] {
  const candidates: CandidateAddress[] = [];
  const seen = new Set<string>();
  const reachedAt = plainIp(localIp);
  const anyLocal = isLoopback(reachedAt) ? [reachedAt, ...localIps] : [reachedAt];
  for (const { ip, udpPort, tcpPort } of addresses) {
    for (const address of ip === "" ? anyLocal : [ip]) {
      const key = `${address} ${udpPort} ${tcpPort}`;
      if (address === "" || seen.has(key)) continue;
      seen.add(key);
      candidates.push({ ip: address, udpPort, tcpPort });
    }
  }
  return candidates;
}

function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/** Sockets that take both families tell IPv4 addresses as ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2); zones mean nothing elsewhere. */
function plainIp(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  return mapped?.[1] ?? ip.split("%")[0] ?? ip;
}
