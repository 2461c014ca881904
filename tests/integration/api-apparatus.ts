import { readFileSync } from "node:fs";
import { createLocalBus, type LocalBus } from "@parley/adapter-bus-local";
import { mintToken, TokenVerifier, type TokenClaims } from "@parley/domain-access";
import type { Clock, Metrics } from "@parley/foundation";
import { createApi, type Api, type ApiConfig } from "@parley/service-api";
import { createSignaling, type Signaling, type SignalingConfig } from "@parley/service-signaling";
import { nullLogger, SeededRandom } from "@parley/testing";
import { FakeMediaNode } from "./fake-media-node.ts";
import { realClock } from "./real-clock.ts";

const app = { id: "app", key: "key", secret: "a secret of thirty-two characters" };

/** API and signaling over the local bus, with a fake media node, as one process has them. */
export interface Apparatus {
  readonly bus: LocalBus;
  readonly api: Api;
  readonly signaling: Signaling;
  readonly node: FakeMediaNode;
  readonly clock: Clock;
  token(claims?: Partial<TokenClaims>): string;
  /** An HTTP request to the API; `token` undefined: without one. */
  fetch(path: string, init: RequestInit & { readonly token?: string }): Promise<Response>;
  postOffer(path: string, offer: string, claims?: Partial<TokenClaims>): Promise<Response>;
  close(): Promise<void>;
}

export async function startApparatus(
  overrides: {
    readonly api?: Partial<ApiConfig>;
    readonly signaling?: Partial<SignalingConfig>;
    readonly withoutNode?: boolean;
  } = {},
): Promise<Apparatus> {
  const clock = realClock;
  const random = new SeededRandom(1);
  const bus = createLocalBus({ clock, logger: nullLogger });
  const signaling = createSignaling({
    bus,
    clock,
    random,
    logger: nullLogger,
    metrics: nullMetrics,
    config: { ufragKey: new Uint8Array(16).fill(1), ...overrides.signaling },
  });
  const node = new FakeMediaNode(bus, clock);
  const api = createApi({
    bus,
    clock,
    random: new SeededRandom(2),
    logger: nullLogger,
    metrics: nullMetrics,
    tokens: new TokenVerifier({ apps: [app] }),
    config: {
      host: "127.0.0.1",
      port: 0,
      corsOrigins: ["*"],
      maxSdpBytes: 65_536,
      joinsPerSecondPerAddress: 1_000,
      maxSessions: 1_000,
      devApp: app,
      ...overrides.api,
    },
  });
  signaling.start();
  if (overrides.withoutNode !== true) node.start();
  await api.start();

  const apparatus: Apparatus = {
    bus,
    api,
    signaling,
    node,
    clock,
    token: (claims) =>
      mintToken(
        {
          iss: app.key,
          sub: "user",
          exp: Math.floor(Date.now() / 1000) + 600,
          publish: true,
          subscribe: true,
          ...claims,
        },
        app.secret,
      ),
    fetch: (path, { token, headers, ...init }) =>
      fetch(new URL(path, api.url), {
        ...init,
        headers: {
          ...(headers as Record<string, string>),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      }),
    postOffer: (path, offer, claims) =>
      apparatus.fetch(path, {
        method: "POST",
        body: offer,
        token: apparatus.token(claims),
        headers: { "content-type": "application/sdp" },
      }),
    close: async () => {
      await api.close();
      signaling.close();
      node.stop();
      await bus.close();
    },
  };
  return apparatus;
}

/** Recorded offers, by the name of their file without `.sdp`. */
export function recordedOffer(name: string): string {
  return readFileSync(new URL(`../../domain/media-control/fixtures/${name}.sdp`, import.meta.url), "utf8");
}

export const nullMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  onCollect: () => undefined,
  collect: () => Promise.resolve({ contentType: "text/plain", text: "" }),
};
