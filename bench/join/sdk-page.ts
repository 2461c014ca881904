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

/** Publishes a camera into the room until the page is closed. Resolves when its media flows: its path has the delay of then. */
export async function publishCamera(client: BrowserClient, url: string, token: string, room: string): Promise<void> {
  await client.page.evaluate(`(async () => {
    const room = globalThis.publisher = new ParleySdk.Room();
    const connected = new Promise((resolve) => room.on("mediaStateChanged", (direction, state) => {
      if (direction === "send" && state === "connected") resolve();
    }));
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 180, frameRate: 30 } });
    await room.connect(${JSON.stringify(url)}, ${JSON.stringify(token)}, {
      room: ${JSON.stringify(room)}, name: "camera", tracks: stream.getTracks().map((track) => ({ track })) });
    await connected;
  })()`);
}

/** What happens between the call of connect and the first decoded frame, in its usual order. */
export const milestones = ["socketOpen", "answered", "ice", "dtls", "packet", "frame"] as const;

export type Milestone = (typeof milestones)[number];

/** Milliseconds from the call of connect to each milestone. */
export async function joinTimes(
  client: BrowserClient,
  url: string,
  token: string,
  room: string,
): Promise<Readonly<Record<Milestone, number>>> {
  const times: unknown = await client.page.evaluate(`(async () => {
    const times = {};
    const note = (name) => (times[name] ??= performance.now() - startedMs);
    // The SDK takes its parts from the page; these tell when they are ready.
    const Socket = globalThis.WebSocket;
    const Peer = globalThis.RTCPeerConnection;
    const room = new ParleySdk.Room({ environment: {
      WebSocket: class extends Socket {
        constructor(...args) {
          super(...args);
          this.addEventListener("open", () => note("socketOpen"));
        }
      },
      RTCPeerConnection: class extends Peer {
        constructor(...args) {
          super(...args);
          this.addEventListener("signalingstatechange", () => this.signalingState === "stable" && note("answered"));
          this.addEventListener("iceconnectionstatechange", () => this.iceConnectionState === "connected" && note("ice"));
          this.addEventListener("connectionstatechange", () => this.connectionState === "connected" && note("dtls"));
          this.addEventListener("track", ({ track }) => {
            if (track.kind === "video") track.addEventListener("unmute", () => note("packet"));
          });
        }
      },
    } });
    const video = document.createElement("video");
    video.muted = video.autoplay = video.playsInline = true;
    video.width = 160;
    video.height = 90;
    document.body.append(video);
    let detach;
    const shown = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no frame within 20 s")), 20000);
      video.requestVideoFrameCallback(() => resolve(note("frame")));
    });
    room.on("trackPublished", (publication) => {
      if (publication.kind === "video") detach = publication.attach(video);
    });
    const startedMs = performance.now();
    try {
      await Promise.all([room.connect(${JSON.stringify(url)}, ${JSON.stringify(token)}, {
        room: ${JSON.stringify(room)}, name: "viewer" }), shown]);
      return times;
    } finally {
      detach?.();
      video.remove();
      await room.disconnect();
    }
  })()`);
  if (typeof times !== "object" || times === null || !("frame" in times)) throw new TypeError("the page gave no times");
  const known = times as Partial<Record<Milestone, number>>;
  return Object.fromEntries(milestones.map((name) => [name, known[name] ?? Number.NaN])) as Record<Milestone, number>;
}
