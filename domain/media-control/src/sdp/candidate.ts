import type { IceCandidate, SdpAttribute } from "./description.ts";
import { readUnsigned } from "./tokens.ts";

/** Reads the value of a=candidate (RFC 8839 5.1); undefined when it is none. */
export function parseCandidate(value: string): IceCandidate | undefined {
  const words = value.trim().split(/ +/);
  const [foundation, componentText, transport, priorityText, address, portText, typ, type] = words;
  const component = readUnsigned(componentText, 256);
  const priority = readUnsigned(priorityText, 0xffffffff);
  const port = readUnsigned(portText, 65535);
  if (foundation === undefined || transport === undefined || address === undefined || type === undefined)
    return undefined;
  if (component === undefined || priority === undefined || port === undefined || typ !== "typ") return undefined;

  let relatedAddress: string | undefined;
  let relatedPort: number | undefined;
  let tcpType: string | undefined;
  const extensions: SdpAttribute[] = [];
  for (let at = 8; at < words.length; at += 2) {
    const name = words[at] as string;
    const text = words[at + 1];
    if (name === "raddr" && text !== undefined) relatedAddress = text;
    else if (name === "rport" && readUnsigned(text, 65535) !== undefined) relatedPort = readUnsigned(text, 65535);
    else if (name === "tcptype" && text !== undefined) tcpType = text.toLowerCase();
    else extensions.push({ name, value: text });
  }
  return {
    foundation,
    component,
    transport: transport.toLowerCase(),
    priority,
    address,
    port,
    type,
    relatedAddress,
    relatedPort,
    tcpType,
    extensions,
  };
}

/** The value of a=candidate, without the name. */
export function writeCandidate(candidate: IceCandidate): string {
  const { foundation, component, transport, priority, address, port, type } = candidate;
  let text = `${foundation} ${component} ${transport} ${priority} ${address} ${port} typ ${type}`;
  if (candidate.relatedAddress !== undefined) text += ` raddr ${candidate.relatedAddress}`;
  if (candidate.relatedPort !== undefined) text += ` rport ${candidate.relatedPort}`;
  if (candidate.tcpType !== undefined) text += ` tcptype ${candidate.tcpType}`;
  for (const { name, value } of candidate.extensions) text += value === undefined ? ` ${name}` : ` ${name} ${value}`;
  return text;
}
