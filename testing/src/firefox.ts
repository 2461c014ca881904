import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, startChild } from "./child.ts";
import { startBlankOrigin } from "./chromium.ts";
import { BrowserClient, type ScriptPage, inPageScript } from "./script-page.ts";

export interface Firefox {
  /** A bare WHIP and WHEP client in a new tab on an empty page of a loopback origin. */
  readonly openClient: () => Promise<BrowserClient>;
  readonly close: () => Promise<void>;
}

/** Sound and autoplay without a click, candidates on the loopback address and without mDNS names, no talk to the outside. */
const PREFERENCES: Readonly<Record<string, boolean | number | string>> = {
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.gmp-manager.updateEnabled": false,
  "app.update.enabled": false,
  "app.normandy.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.page": 0,
  "datareporting.policy.dataSubmissionEnabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "toolkit.telemetry.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "extensions.update.enabled": false,
  "dom.timeout.enable_budget_timer_throttling": false,
  "dom.min_background_timeout_value": 4,
  "widget.windows.window_occlusion_tracking.enabled": false,
};

/**
 * Starts a headless Firefox with a profile of its own and drives it by WebDriver BiDi.
 *
 * Without an audio device Firefox runs no AudioContext, so a publisher's tone comes from its fake microphone: `toneHz` sets it.
 *
 * @throws when Firefox is missing or does not start.
 */
export async function startFirefox(options: { readonly toneHz?: number } = {}): Promise<Firefox> {
  const profile = await mkdtemp(join(tmpdir(), "parley-firefox-"));
  const lines = Object.entries({ ...PREFERENCES, "media.navigator.audio.fake_frequency": options.toneHz ?? 1000 }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  );
  await writeFile(join(profile, "user.js"), `${lines.join("\n")}\n`);
  const child = startChild(process.env["PARLEY_FIREFOX"] ?? "firefox-esr", [
    "--headless",
    "--no-remote",
    "--profile",
    profile,
    "--remote-debugging-port=0",
    "about:blank",
  ]);
  const origin = await startBlankOrigin();
  const cleanUp = async (): Promise<void> => {
    await child.stop();
    await origin.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    const session = await openSession(child);
    return {
      openClient: async () => {
        const { context } = (await session.send("browsingContext.create", { type: "tab" })) as { context: string };
        await session.send("browsingContext.navigate", { context, url: origin.url, wait: "complete" });
        const page = bidiPage(session, context);
        await page.evaluate(`(() => { ${inPageScript}\n; parleyTest.withoutAudioDevice = true; return null; })()`);
        return new BrowserClient(page);
      },
      close: async () => {
        session.close();
        await cleanUp();
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

interface BidiSession {
  readonly send: (method: string, params: Readonly<Record<string, unknown>>) => Promise<unknown>;
  readonly close: () => void;
}

async function openSession(child: Child): Promise<BidiSession> {
  const [, url] = await child.line(/WebDriver BiDi listening on (ws:\/\/\S+)/, 30_000);
  const socket = new WebSocket(`${url}/session`);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("no WebDriver BiDi connection to Firefox")), {
      once: true,
    });
  });
  const waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  let nextId = 1;
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as {
      id?: number;
      type: string;
      result?: unknown;
      error?: string;
      message?: string;
    };
    const request = message.id === undefined ? undefined : waiting.get(message.id);
    if (message.id === undefined || request === undefined) return;
    waiting.delete(message.id);
    if (message.type === "success") request.resolve(message.result);
    else request.reject(new Error(`${message.error}: ${message.message}`));
  });
  socket.addEventListener("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox closed the connection"));
    waiting.clear();
  });
  const send = async (method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = nextId;
      nextId += 1;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await send("session.new", { capabilities: {} });
  return { send, close: () => socket.close() };
}

function bidiPage(session: BidiSession, context: string): ScriptPage {
  return {
    evaluate: async (expression) => {
      // Values travel as JSON text: WebDriver's own encoding of objects is of no use here.
      const answer = (await session.send("script.evaluate", {
        expression: `(async () => JSON.stringify(await (${expression})) ?? "null")()`,
        target: { context },
        awaitPromise: true,
        userActivation: true,
      })) as { type: string; result?: { value?: string }; exceptionDetails?: { text?: string } };
      if (answer.type !== "success") throw new Error(answer.exceptionDetails?.text ?? "a script failed in Firefox");
      return JSON.parse(answer.result?.value ?? "null") as unknown;
    },
    close: async () => {
      await session.send("browsingContext.close", { context });
    },
  };
}
