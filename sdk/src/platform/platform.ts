import type { Clock, Random } from "@parley/foundation";
import type { Environment } from "../api/options.ts";
import { openWebSocket, type OpenSocket } from "../signal/socket.ts";
import { platformClock } from "./clock.ts";
import { platformRandom } from "./random.ts";

/** Everything the SDK takes from the world. Tests give their own. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: OpenSocket;
  /** Undefined: no media here. */
  readonly createPeerConnection: ((configuration: RTCConfiguration) => RTCPeerConnection) | undefined;
  readonly mediaDevices: MediaDevices | undefined;
  readonly document: Document | undefined;
  /** Calls back when the machine's network came, went or changed. Returns the function that ends it. */
  onNetworkChange(listener: (online: boolean) => void): () => void;
  /** Calls back when the page is closed, reloaded or left for good. Returns the function that ends it. */
  onPageGone(listener: () => void): () => void;
  readonly description: { readonly browser: string; readonly os: string };
}

/** What a browser or Node has, with what the options replace. */
export function defaultPlatform(environment: Environment = {}): Platform {
  const Peer = environment.RTCPeerConnection ?? globalThis.RTCPeerConnection;
  const Socket = environment.WebSocket ?? globalThis.WebSocket;
  return {
    clock: platformClock,
    random: platformRandom,
    openSocket: openWebSocket(Socket),
    createPeerConnection: Peer === undefined ? undefined : (configuration) => new Peer(configuration),
    mediaDevices: environment.mediaDevices ?? globalThis.navigator?.mediaDevices,
    document: environment.document ?? globalThis.document,
    onNetworkChange,
    onPageGone,
    description: describe(),
  };
}

function onNetworkChange(listener: (online: boolean) => void): () => void {
  if (typeof globalThis.addEventListener !== "function" || globalThis.document === undefined) return () => undefined;
  const online = (): void => listener(true);
  const offline = (): void => listener(false);
  globalThis.addEventListener("online", online);
  globalThis.addEventListener("offline", offline);
  // Chromium also tells when the way changes (Wi-Fi to mobile) without ever being offline.
  const connection = (globalThis.navigator as { readonly connection?: EventTarget } | undefined)?.connection;
  connection?.addEventListener("change", online);
  return () => {
    globalThis.removeEventListener("online", online);
    globalThis.removeEventListener("offline", offline);
    connection?.removeEventListener("change", online);
  };
}

function onPageGone(listener: () => void): () => void {
  if (typeof globalThis.addEventListener !== "function" || globalThis.document === undefined) return () => undefined;
  const gone = (event: PageTransitionEvent): void => {
    // A page that is only put aside may come back, and resumes.
    if (!event.persisted) listener();
  };
  globalThis.addEventListener("pagehide", gone);
  return () => globalThis.removeEventListener("pagehide", gone);
}

function describe(): { browser: string; os: string } {
  const agent = globalThis.navigator?.userAgent ?? "";
  const browser = /(Firefox|Edg|Chrome|Version)\/[\d.]+/.exec(agent)?.[0] ?? agent.slice(0, 60);
  const os = /\(([^;)]+)/.exec(agent)?.[1] ?? "";
  return { browser, os };
}
