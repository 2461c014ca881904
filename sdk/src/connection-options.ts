import type { ClientOptions } from "./api/options.ts";
import type { Platform } from "./platform/platform.ts";
import { binaryCodec, jsonCodec } from "./signal/frames.ts";
import { SignalLink } from "./signal/link.ts";
import { sdkVersion } from "./version.ts";

const defaultConnectTimeoutMs = 15_000;
const defaultReconnectTimeoutMs = 300_000;

/** A link as the options want it. */
export function linkOf(options: ClientOptions, platform: Platform): SignalLink {
  const link = new SignalLink({
    clock: platform.clock,
    random: platform.random,
    openSocket: platform.openSocket,
    codec: options.json === true ? jsonCodec : binaryCodec,
    client: { sdk: options.clientName ?? `parley-js ${sdkVersion}`, ...platform.description },
    connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
    reconnectTimeoutMs: options.reconnectTimeoutMs ?? defaultReconnectTimeoutMs,
  });
  return link;
}
