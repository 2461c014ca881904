import type { IceGrant } from "../negotiation/grant-parts.ts";
import { describePath, pathKey } from "../path-address.ts";
import type { PathAddress, PlaneIce } from "../ports.ts";
import { type StunMessage, STUN_BINDING, hasValidIntegrity, parseStun, writeStun } from "./stun-message.ts";

/**
 * The ICE-lite side of one session (RFC 8445 2.5), sans-IO: it answers checks, learns where the client is and follows its nomination. Checks on
 * known paths are answered by the data plane; here come the first check of every path, and what the plane tells of the others.
 */
export interface IceAgentOptions {
  /** RFC 7675 5.1: consent lasts 30 s. Shorter notices a lost client sooner and gives up on a slow network sooner. */
  readonly consentTimeoutMs: number;
  /** How long the first check may take, from the grant on. Clients send theirs as soon as they have the answer. */
  readonly connectTimeoutMs: number;
  /** How many paths a client may have at once; the plane has the same bound. */
  readonly maxPaths: number;
  /** How long credentials from before a restart are answered when nothing of the new generation is nominated anew. */
  readonly previousLifetimeMs: number;
}

export const DEFAULT_ICE_AGENT_OPTIONS: IceAgentOptions = {
  consentTimeoutMs: 30_000,
  connectTimeoutMs: 30_000,
  maxPaths: 8,
  previousLifetimeMs: 30_000,
};

export type IceInput =
  /** The grant's ICE part: at the start, and when it changed. */
  | { readonly type: "credentials"; readonly ice: IceGrant }
  /** A check that came up from the data plane. */
  | { readonly type: "check"; readonly address: PathAddress; readonly datagram: Uint8Array }
  /** The plane answered a nomination on an unselected path. */
  | { readonly type: "nominated"; readonly address: PathAddress }
  /** DTLS came on this path: the client uses it, whatever it nominated. */
  | { readonly type: "used"; readonly address: PathAddress }
  | { readonly type: "path-closed"; readonly address: PathAddress }
  /** How long ago the plane last authenticated a check; undefined: never. */
  | { readonly type: "consent"; readonly ageMs: number | undefined }
  | { readonly type: "tick" };

export type IceOutput =
  | { readonly type: "send"; readonly address: PathAddress; readonly datagram: Uint8Array }
  | { readonly type: "add-path"; readonly address: PathAddress }
  | { readonly type: "select-path"; readonly address: PathAddress }
  | { readonly type: "restart-ice"; readonly ice: PlaneIce }
  | { readonly type: "retire-previous-ice" };

/** `new`: no check yet; `checking`: some, none nominated; `failed`: for good. */
export type IceState = "new" | "checking" | "connected" | "failed";

interface Path {
  readonly key: string;
  readonly address: PathAddress;
  /** PRIORITY of the check that it was learned by. */
  readonly priority: number;
}

/** More switches than this within the span: the client nominates aggressively (RFC 5245 8.1.1.2), so the highest priority wins. */
const MAX_SWITCHES = 4;
const SWITCH_SPAN_MS = 10_000;

export class IceAgent {
  readonly #options: IceAgentOptions;
  #ice: IceGrant | undefined;
  #state: IceState = "new";
  #startedAtMs = 0;
  #lastCheckMs: number | undefined;
  #previousUntilMs: number | undefined;
  #selected: Path | undefined;
  /** In the order in which they were learned. */
  readonly #paths = new Map<string, Path>();
  #switchesMs: number[] = [];
  /** Checks with a wrong password, a wrong user name or none. */
  rejectedChecks = 0;

  constructor(options: IceAgentOptions = DEFAULT_ICE_AGENT_OPTIONS) {
    this.#options = options;
  }

  get state(): IceState {
    return this.#state;
  }

  get selectedPath(): PathAddress | undefined {
    return this.#selected?.address;
  }

  get pathCount(): number {
    return this.#paths.size;
  }

  handle(input: IceInput, nowMs: number): IceOutput[] {
    if (this.#state === "failed") return [];
    switch (input.type) {
      case "credentials":
        return this.#takeCredentials(input.ice, nowMs);
      case "check":
        return this.#answer(input.address, input.datagram, nowMs);
      case "nominated":
        return this.#paths.has(pathKey(input.address)) ? this.#select(input.address, nowMs) : [];
      case "used":
        return this.#selected === undefined && this.#paths.has(pathKey(input.address))
          ? this.#select(input.address, nowMs)
          : [];
      case "path-closed":
        this.#forget(pathKey(input.address));
        return [];
      case "consent":
        if (input.ageMs !== undefined) this.#lastCheckMs = Math.max(this.#lastCheckMs ?? 0, nowMs - input.ageMs);
        return this.#tick(nowMs);
      default:
        return this.#tick(nowMs);
    }
  }

  #takeCredentials(ice: IceGrant, nowMs: number): IceOutput[] {
    const before = this.#ice;
    this.#ice = ice;
    if (before === undefined) {
      this.#startedAtMs = nowMs;
      return [];
    }
    if (before.localUfrag === ice.localUfrag && before.localPassword === ice.localPassword) return [];
    this.#previousUntilMs = nowMs + this.#options.previousLifetimeMs;
    this.#switchesMs = [];
    return [{ type: "restart-ice", ice: planeIce(ice) }];
  }

  #answer(address: PathAddress, datagram: Uint8Array, nowMs: number): IceOutput[] {
    const message = parseStun(datagram);
    const password = message && this.#passwordFor(message);
    // RFC 8489 9.1.3 would have us answer 400 or 401. We say nothing: whoever fails here is no client of ours, and with a forged
    // source address it would make us send to a third party.
    if (message === undefined || password === undefined || !hasValidIntegrity(datagram, message, password)) {
      this.rejectedChecks++;
      return [];
    }
    const { transactionId } = message;
    const respond = (response: Omit<Parameters<typeof writeStun>[0], "transactionId">): IceOutput => ({
      type: "send",
      address,
      datagram: writeStun({ ...response, transactionId }, password),
    });
    if (message.unknownRequired.length > 0) {
      const error = { code: 420, reason: "Unknown Attribute" };
      return [respond({ class: "error", error, unknownAttributes: message.unknownRequired })];
    }
    if (message.iceControlled !== undefined) {
      // RFC 8445 6.1.1: against a lite agent the full one controls; 7.3.1.1: it is told so and tries again.
      return [respond({ class: "error", error: { code: 487, reason: "Role Conflict" } })];
    }
    const path = describePath(address);
    if (path === undefined) return [];

    this.#lastCheckMs = nowMs;
    if (this.#state === "new") this.#state = "checking";
    const outputs = this.#learn(address, message.priority ?? 0);
    const mapped = { ip: path.remoteIp, port: path.remotePort };
    outputs.push(respond({ class: "success", xorMappedAddress: mapped }));
    const isCurrent = message.username?.startsWith(`${this.#ice?.localUfrag}:`) === true;
    if (message.useCandidate && (isCurrent || this.#selected === undefined)) {
      outputs.push(...this.#select(address, nowMs));
      if (isCurrent) outputs.push(...this.#retirePrevious());
    }
    return outputs;
  }

  /** The password that a check must be signed with; undefined when its user name is nobody's here (RFC 8445 7.2.2). */
  #passwordFor(message: StunMessage): string | undefined {
    const ice = this.#ice;
    if (ice === undefined || message.class !== "request" || message.method !== STUN_BINDING) return undefined;
    const colon = message.username?.indexOf(":") ?? -1;
    const local = message.username?.slice(0, Math.max(0, colon));
    const remote = message.username?.slice(colon + 1);
    if (local === ice.localUfrag) return matches(remote, ice.remoteUfrag) ? ice.localPassword : undefined;
    if (this.#previousUntilMs === undefined || local !== ice.previousLocalUfrag) return undefined;
    return matches(remote, ice.previousRemoteUfrag) ? ice.previousLocalPassword : undefined;
  }

  #learn(address: PathAddress, priority: number): IceOutput[] {
    const key = pathKey(address);
    if (this.#paths.has(key)) return [];
    if (this.#paths.size >= this.#options.maxPaths) {
      const oldest = [...this.#paths.keys()].find((each) => each !== this.#selected?.key);
      if (oldest !== undefined) this.#paths.delete(oldest);
    }
    this.#paths.set(key, { key, address, priority });
    return [{ type: "add-path", address }];
  }

  #select(address: PathAddress, nowMs: number): IceOutput[] {
    const key = pathKey(address);
    const current = this.#selected;
    const chosen = this.#paths.get(key);
    if (chosen === undefined || chosen === current) return [];
    this.#switchesMs = this.#switchesMs.filter((atMs) => nowMs - atMs < SWITCH_SPAN_MS);
    if (current !== undefined && this.#switchesMs.length >= MAX_SWITCHES) {
      if (chosen.priority <= current.priority) return [];
    }
    if (current !== undefined) this.#switchesMs.push(nowMs);
    this.#selected = chosen;
    this.#state = "connected";
    return [{ type: "select-path", address }];
  }

  #forget(key: string): void {
    this.#paths.delete(key);
    if (key === this.#selected?.key) this.#selected = undefined;
  }

  #retirePrevious(): IceOutput[] {
    if (this.#previousUntilMs === undefined) return [];
    this.#previousUntilMs = undefined;
    return [{ type: "retire-previous-ice" }];
  }

  #tick(nowMs: number): IceOutput[] {
    const silentSinceMs = this.#lastCheckMs ?? this.#startedAtMs;
    const limitMs = this.#lastCheckMs === undefined ? this.#options.connectTimeoutMs : this.#options.consentTimeoutMs;
    if (nowMs - silentSinceMs >= limitMs) {
      this.#state = "failed";
      return [];
    }
    return this.#previousUntilMs !== undefined && nowMs >= this.#previousUntilMs ? this.#retirePrevious() : [];
  }
}

export function planeIce(ice: IceGrant): PlaneIce {
  return { localUfrag: ice.localUfrag, localPassword: ice.localPassword, remoteUfrag: ice.remoteUfrag };
}

/** An unknown remote ufrag matches all: a WHIP client may send checks before signaling knows its new one. */
function matches(remote: string | undefined, expected: string): boolean {
  return expected === "" || remote === expected;
}
