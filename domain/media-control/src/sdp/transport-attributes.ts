import type { SdpFingerprint, SdpSetup } from "./description.ts";
import type { TransportDraft } from "./draft.ts";
import { isIcePassword, isIceUfrag, readColonHex, writeColonHex } from "./tokens.ts";
import type { SdpTransport } from "./description.ts";

const SETUPS: ReadonlySet<string> = new Set<SdpSetup>(["actpass", "active", "passive", "holdconn"]);

/** "ok": taken; "malformed": one of these attributes with a wrong value; "unknown": another attribute. */
export type AttributeOutcome = "ok" | "malformed" | "unknown";

/** Takes an attribute of ICE (RFC 8839) or DTLS (RFC 8842), at session or media level. */
export function takeTransportAttribute(draft: TransportDraft, name: string, value: string): AttributeOutcome {
  switch (name) {
    case "ice-ufrag":
      if (!isIceUfrag(value)) return "malformed";
      draft.iceUfrag = value;
      return "ok";
    case "ice-pwd":
      if (!isIcePassword(value)) return "malformed";
      draft.icePassword = value;
      return "ok";
    case "ice-options":
      draft.iceOptions.push(...value.split(/ +/).filter((option) => option !== ""));
      return "ok";
    case "fingerprint": {
      const fingerprint = readFingerprint(value);
      if (fingerprint === undefined) return "malformed";
      draft.fingerprints.push(fingerprint);
      return "ok";
    }
    case "setup":
      if (!SETUPS.has(value)) return "malformed";
      draft.setup = value as SdpSetup;
      return "ok";
    default:
      return "unknown";
  }
}

function readFingerprint(value: string): SdpFingerprint | undefined {
  const [algorithm, hex] = value.split(/ +/);
  if (algorithm === undefined || hex === undefined) return undefined;
  const bytes = readColonHex(hex);
  return bytes && { algorithm: algorithm.toLowerCase(), value: bytes };
}

export function transportLines(out: string[], transport: SdpTransport): void {
  if (transport.iceUfrag !== undefined) out.push(`a=ice-ufrag:${transport.iceUfrag}`);
  if (transport.icePassword !== undefined) out.push(`a=ice-pwd:${transport.icePassword}`);
  if (transport.iceOptions.length > 0) out.push(`a=ice-options:${transport.iceOptions.join(" ")}`);
  for (const { algorithm, value } of transport.fingerprints)
    out.push(`a=fingerprint:${algorithm} ${writeColonHex(value)}`);
  if (transport.setup !== undefined) out.push(`a=setup:${transport.setup}`);
}
