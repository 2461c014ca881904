import { isValidName } from "@parley/foundation";
import type { Config } from "./schema.ts";
import type { ConfigProblem } from "./settings.ts";

/** HS256 wants a key of at least the hash's 256 bits (RFC 7518 section 3.2). */
const minSecretBytes = 32;

/** What no single setting shows to be wrong. */
export function checkConfig(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (where: string, text: string): void => void problems.push({ where, text });

  if (config.roles.length === 0) report("roles", "at least one role is needed");
  const { certFile, keyFile } = config.http.tls;
  if ((certFile === "") !== (keyFile === "")) report("http.tls", "certFile and keyFile are needed together");
  for (const [index, { url, username, credential }] of config.iceServers.entries()) {
    const where = `iceServers[${index}]`;
    if (!/^(?:stuns?|turns?):[^\s"<>]+$/.test(url)) report(where, "url must begin with stun:, stuns:, turn: or turns:");
    if ((username === "") !== (credential === "")) report(where, "username and credential are needed together");
  }
  if (config.apps.length === 0) {
    report("apps", "no app is configured, so nobody could connect; add one, or try with --dev");
  }
  const { outboundLossyBytes, outboundQueueBytes, connectingPerAddress, connectionsPerAddress } = config.limits;
  if (outboundLossyBytes > outboundQueueBytes) {
    report("limits", "outboundLossyBytes must not be above outboundQueueBytes");
  }
  if (connectingPerAddress > connectionsPerAddress) {
    report("limits", "connectingPerAddress must not be above connectionsPerAddress");
  }
  const keys = new Set<string>();
  for (const [index, { key, id, secret }] of config.apps.entries()) {
    const where = `apps[${index}]`;
    if (!isValidName(key)) report(where, "key is missing, too long or has control characters");
    if (id !== "" && !isValidName(id)) report(where, "id is too long or has control characters");
    if (keys.has(key)) report(where, `the key ${key} is there twice`);
    keys.add(key);
    if (Buffer.byteLength(secret) < minSecretBytes) report(where, `secret must have at least ${minSecretBytes} bytes`);
  }
  return problems;
}
