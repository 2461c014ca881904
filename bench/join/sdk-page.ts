import { fileURLToPath } from "node:url";
import type { BrowserClient, Chromium } from "@parley/testing";
import { rolldown } from "rolldown";

/** A page with the SDK as the global `ParleySdk`. */
export async function openSdkPage(chromium: Chromium): Promise<BrowserClient> {
  const client = await chromium.openClient();
  const input = fileURLToPath(new URL("../../sdk/src/index.ts", import.meta.url));
  const build = await rolldown({ input, platform: "browser" });
  const { output } = await build.generate({ format: "iife", name: "ParleySdk" });
  await build.close();
  // The completion value of a script is not for us.
  await client.page.evaluate(`(() => { ${output[0].code}\nglobalThis.ParleySdk = ParleySdk; })()`);
  return client;
}

/** Publishes a camera into the room until the page is closed. */
export async function publishCamera(client: BrowserClient, url: string, token: string, room: string): Promise<void> {
  await client.page.evaluate(`(async () => {
    const room = globalThis.publisher = new ParleySdk.Room();
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 180, frameRate: 30 } });
    await room.connect(${JSON.stringify(url)}, ${JSON.stringify(token)}, {
      room: ${JSON.stringify(room)}, name: "camera", tracks: stream.getTracks().map((track) => ({ track })) });
  })()`);
}

/** Milliseconds from the call of connect to the first decoded frame. */
export async function firstFrameMs(client: BrowserClient, url: string, token: string, room: string): Promise<number> {
  const ms: unknown = await client.page.evaluate(`(async () => {
    const room = new ParleySdk.Room();
    const video = document.createElement("video");
    video.muted = video.autoplay = video.playsInline = true;
    video.width = 160;
    video.height = 90;
    document.body.append(video);
    let detach;
    const shown = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no frame within 20 s")), 20000);
      video.requestVideoFrameCallback(() => resolve(performance.now()));
    });
    room.on("trackPublished", (publication) => {
      if (publication.kind === "video") detach = publication.attach(video);
    });
    const startedMs = performance.now();
    try {
      await Promise.all([room.connect(${JSON.stringify(url)}, ${JSON.stringify(token)}, {
        room: ${JSON.stringify(room)}, name: "viewer" }), shown]);
      return (await shown) - startedMs;
    } finally {
      detach?.();
      video.remove();
      await room.disconnect();
    }
  })()`);
  if (typeof ms !== "number") throw new TypeError("the page gave no time");
  return ms;
}
