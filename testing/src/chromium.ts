import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { BrowserClient, type ScriptPage, inPageScript } from "./script-page.ts";

export interface ChromiumOptions {
  /** Files for the fake camera and microphone (YUV4MPEG2, WAV) instead of Chromium's own pattern and beeps. */
  readonly cameraFile?: string;
  readonly microphoneFile?: string;
  /** True: refuse camera and microphone as a user would, instead of granting them. */
  readonly denyCapture?: boolean;
  /** True: candidates carry addresses instead of mDNS names, for peers that know no mDNS. */
  readonly plainCandidates?: boolean;
  readonly colourScheme?: "light" | "dark";
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly args?: readonly string[];
}

export interface Chromium {
  readonly context: BrowserContext;
  /** A page with the in-page script on it, at `url` or at an empty page of a loopback origin of our own. */
  readonly openPage: (url?: string) => Promise<Page>;
  /** A bare WHIP and WHEP client in a new page. */
  readonly openClient: (url?: string) => Promise<BrowserClient>;
  readonly close: () => Promise<void>;
}

/** Where Debian puts it; `PARLEY_CHROMIUM` names another. */
function executablePath(): string {
  return process.env["PARLEY_CHROMIUM"] ?? "/usr/bin/chromium";
}

/**
 * Starts a headless Chromium with fake devices and a user data folder of its own.
 *
 * @throws when Chromium is missing or does not start.
 */
export async function startChromium(options: ChromiumOptions = {}): Promise<Chromium> {
  // Loaded here, so that pure tests that import this package do not pay for it.
  const { chromium } = await import("playwright-core");
  const userData = await mkdtemp(join(tmpdir(), "parley-chromium-"));
  const origin = await startBlankOrigin();
  let context: BrowserContext;
  try {
    context = await chromium.launchPersistentContext(userData, {
      executablePath: executablePath(),
      headless: true,
      chromiumSandbox: false,
      viewport: options.viewport ?? { width: 1280, height: 800 },
      colorScheme: options.colourScheme ?? "light",
      args: chromiumArguments(options),
    });
  } catch (error) {
    await origin.close();
    await rm(userData, { recursive: true, force: true });
    throw error;
  }
  await context.addInitScript({ content: inPageScript });
  const openPage = async (url?: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url ?? origin.url);
    return page;
  };
  return {
    context,
    openPage,
    openClient: async (url) => new BrowserClient(pageScript(await openPage(url))),
    close: async () => {
      await context.close();
      await origin.close();
      // Chromium's last helper may still write while the folder goes.
      await rm(userData, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** A page of playwright as a {@link ScriptPage}. */
export function pageScript(page: Page): ScriptPage {
  return {
    evaluate: async (expression) => page.evaluate(expression),
    close: async () => page.close(),
  };
}

function chromiumArguments(options: ChromiumOptions): string[] {
  const fakeUi =
    options.denyCapture === true ? "--use-fake-ui-for-media-stream=deny" : "--use-fake-ui-for-media-stream";
  const disabled = options.plainCandidates === true ? ["--disable-features=WebRtcHideLocalIpsWithMdns"] : [];
  return [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    fakeUi,
    "--autoplay-policy=no-user-gesture-required",
    "--auto-select-desktop-capture-source=Entire screen",
    ...(options.cameraFile === undefined ? [] : [`--use-file-for-fake-video-capture=${options.cameraFile}`]),
    ...(options.microphoneFile === undefined ? [] : [`--use-file-for-fake-audio-capture=${options.microphoneFile}`]),
    ...disabled,
    ...(options.args ?? []),
  ];
}

/** An origin that is not Parley's, so that clients on it also show that CORS is right. */
export async function startBlankOrigin(): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end("<!doctype html><html lang=en><title>client</title><body></body></html>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("an HTTP server without a port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
