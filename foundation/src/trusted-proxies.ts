import { parseIp } from "./ip-address.ts";

/** Headers of an HTTP request by lower-case name, as Node has them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

interface Network {
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

/** So many hops are looked at: chains are short, and a header has kilobytes. */
const maxHops = 32;

/** `192.0.2.7` or `10.0.0.0/8`; undefined: neither. */
function parseNetwork(text: string): Network | undefined {
  const [ip = "", prefix, ...rest] = text.split("/");
  const address = parseIp(ip);
  if (address === undefined || rest.length > 0) return undefined;
  if (prefix === undefined) return { address, prefixBits: address.length * 8 };
  const prefixBits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  return prefixBits <= address.length * 8 ? { address, prefixBits } : undefined;
}

/** Whether {@link TrustedProxies} takes it: an IP address, or a network in CIDR notation (RFC 4632). */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/**
 * Where requests really come from when reverse proxies stand before us: `Forwarded` (RFC 7239) or `X-Forwarded-For`, believed only as far as
 * proxies of ours wrote it. Anybody can send such a header, so without a trusted proxy it says nothing.
 */
export class TrustedProxies {
  readonly #networks: readonly Network[];

  /** Entries that are no networks ({@link isNetwork}) are left out. */
  constructor(networks: readonly string[]) {
    this.#networks = networks.map(parseNetwork).filter((network) => network !== undefined);
  }

  /** The client's address: the last one in the chain that is not a proxy of ours. `peer` is the socket's. */
  clientAddress(peer: string, headers: RequestHeaders): string {
    if (this.#networks.length === 0 || !this.#trusts(peer)) return peer;
    let client = peer;
    // Each proxy appends whom it was called by, so the nearest comes last.
    for (const hop of hopsOf(headers).slice(-maxHops).toReversed()) {
      // "unknown", "_hidden" or garbage: nothing before it can be believed either.
      if (hop === undefined) return client;
      client = hop;
      if (!this.#trusts(hop)) return client;
    }
    return client;
  }

  #trusts(ip: string): boolean {
    const address = parseIp(ip);
    return address !== undefined && this.#networks.some((network) => contains(network, address));
  }
}

function contains({ address: base, prefixBits }: Network, address: Uint8Array): boolean {
  if (base.length !== address.length) return false;
  for (let bit = 0; bit < prefixBits; bit += 8) {
    const mask = prefixBits - bit >= 8 ? 0xff : (0xff << (8 - (prefixBits - bit))) & 0xff;
    if (((base[bit / 8] ?? 0) & mask) !== ((address[bit / 8] ?? 0) & mask)) return false;
  }
  return true;
}

/** The chain, farthest first; undefined for a hop that hides or cannot be read. `Forwarded`, being the standard, goes first. */
function hopsOf(headers: RequestHeaders): (string | undefined)[] {
  const forwarded = textOf(headers["forwarded"]);
  if (forwarded !== "") return elementsOf(forwarded).map(forOf);
  const text = textOf(headers["x-forwarded-for"]);
  return text === "" ? [] : text.split(",").map((hop) => addressOf(hop.trim()));
}

function textOf(value: string | readonly string[] | undefined): string {
  return value === undefined ? "" : typeof value === "string" ? value : value.join(",");
}

/** Elements of a list; commas within quotes do not count (RFC 9110 section 5.6.4). */
function elementsOf(text: string): string[] {
  const elements: string[] = [];
  let begin = 0;
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (isQuoted && char === "\\") index += 1;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === "," && !isQuoted) {
      elements.push(text.slice(begin, index));
      begin = index + 1;
    }
  }
  elements.push(text.slice(begin));
  return elements;
}

function forOf(element: string): string | undefined {
  const match = /(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(element);
  return addressOf(match?.[1] ?? match?.[2] ?? "");
}

/** `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. */
function addressOf(hop: string): string | undefined {
  const ip = /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
  return parseIp(ip) === undefined ? undefined : ip;
}
