import type { IceCandidate } from "../sdp/description.ts";
import type { CandidateAddress } from "./negotiation.ts";

/** RFC 8445 5.1.2.2 recommends 126 for host candidates. */
const HOST_TYPE_PREFERENCE = 126;
/**
 * TCP is for those whose UDP is blocked, so it ranks below every UDP candidate, as the type preference of libwebrtc for TCP
 * hosts does (RFC 6544 4.2 leaves the value open).
 */
const TCP_TYPE_PREFERENCE = 90;
/** RFC 6544 4.2: direction preference 4 for a passive host candidate, in the upper 3 bits of the local preference. */
const TCP_PASSIVE_PREFERENCE = 4 << 13;
const MAX_LOCAL_PREFERENCE = 65535;

/** Host candidates for an answer, UDP and TCP passive, the first address preferred. Component 1 only: rtcp-mux. */
export function hostCandidates(addresses: readonly CandidateAddress[]): IceCandidate[] {
  const candidates: IceCandidate[] = [];
  for (const [index, { ip, udpPort }] of addresses.entries()) {
    if (udpPort !== 0) candidates.push(candidate(`${index + 1}`, "udp", ip, udpPort, MAX_LOCAL_PREFERENCE - index));
  }
  for (const [index, { ip, tcpPort }] of addresses.entries()) {
    const preference = TCP_PASSIVE_PREFERENCE + (0x1fff - index);
    if (tcpPort !== 0) candidates.push(candidate(`${addresses.length + index + 1}`, "tcp", ip, tcpPort, preference));
  }
  return candidates;
}

function candidate(
  foundation: string,
  transport: "udp" | "tcp",
  ip: string,
  port: number,
  localPreference: number,
): IceCandidate {
  const typePreference = transport === "udp" ? HOST_TYPE_PREFERENCE : TCP_TYPE_PREFERENCE;
  return {
    foundation,
    component: 1,
    transport,
    // RFC 8445 5.1.2.1.
    priority: typePreference * 2 ** 24 + localPreference * 2 ** 8 + 255,
    address: ip,
    port,
    type: "host",
    relatedAddress: undefined,
    relatedPort: undefined,
    tcpType: transport === "tcp" ? "passive" : undefined,
    extensions: [],
  };
}
