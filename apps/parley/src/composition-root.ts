import { createLocalBus } from "@parley/adapter-bus-local";
import { loadDemoAssets } from "@parley/demo";
import { TokenVerifier } from "@parley/domain-access";
import { randomId, type Bus, type Clock } from "@parley/foundation";
import { loadPageAssets, pageHeaders } from "@parley/page";
import { createApi, type Api, type ApiConfig } from "@parley/service-api";
import { createGateway, noUpgradeResponse, refuseUpgrade } from "@parley/service-gateway";
import { createSignaling, type Signaling } from "@parley/service-signaling";
import { devApp } from "./config/load-config.ts";
import type { Config } from "./config/schema.ts";
import { gatewayConfig, roomLimits } from "./gateway-config.ts";
import { startMediaRole } from "./media-role.ts";
import type { ProgramDeps } from "./program-deps.ts";
import { createRevocationFile } from "./revocation-file.ts";
import type { Drainable } from "./shutdown.ts";

export interface Program extends Drainable {
  /** Where the page is; empty without the role `api`. */
  readonly pageUrl: string;
}

/** One part of the program, in the order of starting; they end in the reverse order. */
interface Part {
  /** Takes nothing new. */
  drain?(): void;
  /** How much is left that would suffer from an end. */
  sessions?(): number;
  close(): void | Promise<void>;
}

const ufragKeyBytes = 16;
/** The first announcement of a media node takes a turn of the event loop; this is for machines that are very busy. */
const firstNodeDeadlineMs = 5_000;
/** How often sessions are counted while draining, and the first node is looked for. */
const pollMs = 50;
/** Between the ends of parts: what one says at its end still reaches the next over the bus. */
const lastWordsMs = 20;

/** Makes adapters and services and joins them: the only place that knows which. Rejects when something cannot be had (a port, a file). */
export async function startProgram(config: Config, deps: ProgramDeps): Promise<Program> {
  const { clock, random, logger } = deps;
  const has = (role: Config["roles"][number]): boolean => config.roles.includes(role);
  const bus = createLocalBus({ clock, logger: logger.child({ part: "bus" }) });
  const parts: Part[] = [{ close: () => bus.close() }];
  const tokens = new TokenVerifier({ apps: config.apps, maxTokenBytes: config.limits.tokenBytes });
  const ufragKey =
    config.media.ufragKey === ""
      ? random.bytes(ufragKeyBytes)
      : new Uint8Array(Buffer.from(config.media.ufragKey, "hex"));

  const close = async (): Promise<void> => {
    for (const part of parts.toReversed()) {
      await part.close();
      await pause(clock, lastWordsMs);
    }
  };
  try {
    // All who want to know of media nodes listen before ours announces itself: the second announcement comes 250 ms after the first.
    const signaling = has("signaling") ? startSignaling(config, { ...deps, bus, ufragKey }) : undefined;
    if (signaling !== undefined) parts.push(signaling);
    const api = has("api") ? makeApi(config, { ...deps, bus, tokens }) : undefined;
    if (api !== undefined) {
      parts.push({ drain: () => api.drain(), sessions: () => api.sessions, close: () => api.close() });
      if (has("gateway")) parts.push(joinGateway(api, config, { ...deps, bus, tokens }));
      else refuseUpgrades(api, clock);
    }
    if (has("media")) {
      // Behind the bus only: it ends after those who use it.
      parts.splice(1, 0, startMediaRole(config, { ...deps, logger: logger.child({ part: "media" }), bus, ufragKey }));
    }
    await api?.start();
    if (has("media") && signaling !== undefined) await firstNode(signaling, clock);
    logger.info("started", { version: deps.version, roles: config.roles.join(",") });
    return { pageUrl: pageUrlOf(config, api), close, drain: () => drain(parts, clock) };
  } catch (error) {
    await close();
    throw error;
  }
}

function startSignaling(
  config: Config,
  deps: ProgramDeps & { readonly bus: Bus; readonly ufragKey: Uint8Array },
): Signaling {
  const signaling = createSignaling({
    ...deps,
    logger: deps.logger.child({ part: "signaling" }),
    config: { ufragKey: deps.ufragKey, limits: roomLimits(config), sdpLimits: { maxBytes: config.limits.sdpBytes } },
  });
  signaling.start();
  return signaling;
}

function makeApi(config: Config, deps: ProgramDeps & { readonly bus: Bus; readonly tokens: TokenVerifier }): Api {
  return createApi({
    ...deps,
    logger: deps.logger.child({ part: "api" }),
    ...(config.dataDir === "" ? {} : { revocationStore: createRevocationFile(config.dataDir) }),
    config: apiConfig(config, deps),
  });
}

function pageUrlOf({ http }: Config, api: Api | undefined): string {
  if (api === undefined) return "";
  return `${http.publicUrl === "" ? api.url : http.publicUrl}/`;
}

function apiConfig(config: Config, deps: ProgramDeps): ApiConfig {
  const { http, limits } = config;
  return {
    host: http.host,
    port: http.port,
    publicUrl: http.publicUrl,
    corsOrigins: http.corsOrigins,
    trustedProxies: http.trustedProxies,
    ...(http.tls.certFile === "" ? {} : { tls: http.tls }),
    iceServers: config.iceServers.map(({ url, username, credential }) => ({
      url,
      ...(username === "" ? {} : { username, credential }),
    })),
    maxSdpBytes: limits.sdpBytes,
    joinsPerSecondPerAddress: limits.joinsPerSecondPerAddress,
    maxSessions: limits.sessions,
    files: { assets: [...loadPageAssets(), ...loadDemoAssets()], headers: pageHeaders },
    ...(deps.dev && config.apps.some((app) => app.key === devApp.key) ? { devApp } : {}),
  };
}

/** The gateway shares the API's port: it takes the WebSocket upgrades of its path. */
function joinGateway(
  api: Api,
  config: Config,
  deps: Omit<Parameters<typeof createGateway>[1], "ownerId" | "serverVersion"> & ProgramDeps,
): Part {
  const gateway = createGateway(gatewayConfig(config), {
    ...deps,
    logger: deps.logger.child({ part: "gateway" }),
    ownerId: randomId(deps.random),
    serverVersion: deps.version,
  });
  api.server.on("upgrade", (request, socket, head) => {
    if (!gateway.handleUpgrade(request, socket, head)) refuseUpgrade(socket, deps.clock, noUpgradeResponse);
  });
  return { drain: () => gateway.drain(), sessions: () => gateway.socketCount, close: () => gateway.close() };
}

function refuseUpgrades(api: Api, clock: Clock): void {
  api.server.on("upgrade", (_request, socket) => refuseUpgrade(socket, clock, noUpgradeResponse));
}

async function drain(parts: readonly Part[], clock: Clock): Promise<void> {
  for (const part of parts) part.drain?.();
  while (parts.some((part) => (part.sessions?.() ?? 0) > 0)) await pause(clock, pollMs);
}

/** Ready means that a session can be made, so signaling must have heard of the media node. */
async function firstNode(signaling: Signaling, clock: Clock): Promise<void> {
  const deadlineMs = clock.monoMs() + firstNodeDeadlineMs;
  while (signaling.liveNodes === 0) {
    if (clock.monoMs() > deadlineMs) throw new Error("the media node did not announce itself");
    await pause(clock, lastWordsMs);
  }
}

function pause(clock: Clock, durationMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(durationMs, resolve));
}
