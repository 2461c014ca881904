import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  BrowserClient,
  type Chromium,
  type ParleyProcess,
  pageScript,
  type Person,
  personOfColour,
  personOfTone,
  type Tone,
  until,
} from "@parley/testing";
import type { Page } from "playwright-core";

/**
 * The demo as people have it: its own page, clicks and keys. What it plays is heard by its audio elements, and what it receives is counted
 * by its PeerConnections; both are only watched from outside.
 */
const watcher = `(() => {
  globalThis.demoWatch = { ears: [], peers: [], captured: [] };
  const devices = navigator.mediaDevices;
  for (const name of devices === undefined ? [] : ["getUserMedia", "getDisplayMedia"]) {
    const open = devices[name].bind(devices);
    devices[name] = async (constraints) => {
      const stream = await open(constraints);
      demoWatch.captured.push(...stream.getTracks());
      return stream;
    };
  }
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const element = create(name, options);
    if (name === "audio") {
      element.id = "ear-" + demoWatch.ears.push(element);
      document.documentElement.append(element);
    }
    return element;
  };
  const Peer = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Peer {
    constructor(configuration) {
      super(configuration);
      demoWatch.peers.push(this);
    }
  };
  demoWatch.framesReceived = async () => {
    let frames = 0;
    for (const peer of demoWatch.peers) {
      if (peer.connectionState === "closed") continue;
      for (const entry of (await peer.getStats()).values()) {
        if (entry.type === "inbound-rtp" && entry.kind === "video") frames += entry.framesReceived ?? 0;
      }
    }
    return frames;
  };
})()`;

const inPage = readFileSync(new URL("./demo-in-page.js", import.meta.url), "utf8");

/** Small pictures for two cores, and tones that no noise suppression removes. */
const settings = { quality: "low", originalSound: true };

/**
 * A token from the development server, for one room or for all; `host`: with a host's tools. One user has few connections, so give each
 * their own.
 */
export async function tokenFor(server: ParleyProcess, user: string, host = false, room?: string): Promise<string> {
  const query = new URLSearchParams({ user, publish: "true", data: "true", admin: String(host) });
  if (room !== undefined) query.set("room", room);
  const response = await fetch(`${server.url}/v1/dev/token?${query}`);
  assert.equal(response.status, 200);
  return ((await response.json()) as { readonly token: string }).token;
}

export interface DemoOptions {
  readonly room: string;
  readonly name: string;
  readonly host?: boolean;
  readonly token?: string;
  /** The camera shows a drawn person with this number instead of the fake device's picture: for pictures that one looks at. */
  readonly portrait?: number;
  readonly viewport?: { readonly width: number; readonly height: number };
}

export interface Focused {
  readonly name: string;
  readonly tag: string;
  /** There is an outline. */
  readonly isSeen: boolean;
  readonly isInDialog: boolean;
}

export class DemoPage {
  /** What {@link DemoPage.audit} and the drawn people need. */
  static readonly inPage = inPage;
  readonly page: Page;
  readonly #client: BrowserClient;

  private constructor(page: Page) {
    this.page = page;
    this.#client = new BrowserClient(pageScript(page));
  }

  /** Opens the demo's form. */
  static async open(chromium: Chromium, server: ParleyProcess, options: DemoOptions): Promise<DemoPage> {
    const page = await chromium.context.newPage();
    if (options.viewport !== undefined) await page.setViewportSize(options.viewport);
    await page.addInitScript({ content: watcher });
    await page.addInitScript({ content: inPage });
    if (options.portrait !== undefined) {
      await page.addInitScript({ content: `demoTest.sitBefore(${options.portrait})` });
    }
    await page.addInitScript((text) => {
      localStorage.setItem("parley.demo.settings", text);
    }, JSON.stringify(settings));
    const { room, name, host = false, token } = options;
    const fragment = new URLSearchParams({
      room,
      name,
      ...(host ? { host: "1" } : {}),
      ...(token === undefined ? {} : { token }),
    });
    const response = await page.goto(`${server.url}/demo/#${fragment}`);
    assert.equal(response?.status(), 200, "the demo is not built: npm run build:demo");
    return new DemoPage(page);
  }

  /** Opens, and clicks through to the meeting. */
  static async join(chromium: Chromium, server: ParleyProcess, options: DemoOptions): Promise<DemoPage> {
    const demo = await DemoPage.open(chromium, server, options);
    await demo.click("Join");
    await demo.inMeeting();
    return demo;
  }

  async inMeeting(): Promise<void> {
    await this.page.getByRole("toolbar", { name: "Meeting controls" }).waitFor({ timeout: 10_000 });
  }

  /** A button by what it says. */
  async click(name: string | RegExp): Promise<void> {
    const exact = typeof name === "string";
    await this.page.getByRole("button", { name, exact }).first().click({ timeout: 5_000 });
  }

  /** Waits until this text is to be seen. */
  async reads(text: string | RegExp, deadlineMs = 5_000): Promise<void> {
    await this.page.getByText(text).first().waitFor({ timeout: deadlineMs });
  }

  /** What is wrong with the page for those who cannot see it, or not well; see `demo-in-page.js`. */
  async audit(): Promise<readonly string[]> {
    return (await this.page.evaluate("demoTest.audit()")) as readonly string[];
  }

  /** What has the focus now. */
  async focused(): Promise<Focused> {
    return (await this.page.evaluate("demoTest.focused()")) as Focused;
  }

  /** Waits until this has the focus: a heading, a field, a button, by its name. */
  async hasFocus(name: string, tag?: string): Promise<void> {
    let last: Focused | undefined;
    await until(
      async () => {
        last = await this.focused();
        return last.name === name && (tag === undefined || last.tag === tag);
      },
      { what: `the focus is on ${name}`, deadlineMs: 5_000, describe: () => last },
    );
  }

  /** Goes by keys to what has this name; everything on the way, and itself, must show that it has the focus. */
  async keyTo(name: string, key = "Tab"): Promise<void> {
    const passed: string[] = [];
    for (let presses = 0; presses < 60; presses += 1) {
      await this.page.keyboard.press(key);
      const focused = await this.focused();
      assert.ok(focused.isSeen || focused.tag === "", `${focused.tag} ${focused.name} does not show the focus`);
      if (focused.name === name) return;
      passed.push(focused.name);
    }
    assert.fail(`${key} does not lead to ${name}, but to: ${passed.join(", ")}`);
  }

  /** Waits until a region that screen readers watch says this. */
  async announces(text: string): Promise<void> {
    await this.page.locator("[role=status], [role=alert], [role=log]", { hasText: text }).first().waitFor({
      state: "attached",
      timeout: 5_000,
    });
  }

  /** Waits until what changed is on the screen: measured by observers, laid out by React, painted, and pictures are there. */
  async drawn(): Promise<void> {
    await this.page.evaluate(async () => {
      for (let frames = 0; frames < 4; frames += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    // A picture that is asked for in another size may be a moment away; where none comes (camera muted) the rest is still worth seeing.
    await this.page
      .waitForFunction(
        () => {
          const hasPicture = (video: HTMLVideoElement): boolean =>
            video.readyState >= 2 && getComputedStyle(video).visibility === "visible";
          return [...document.querySelectorAll("video")].every(hasPicture);
        },
        undefined,
        { timeout: 3_000 },
      )
      .catch(() => undefined);
  }

  tile(name: string, kind: "person" | "screen" = "person"): string {
    return `[data-tile="${kind} ${name}"]`;
  }

  async hasTile(name: string, deadlineMs = 5_000): Promise<void> {
    await this.page.locator(this.tile(name)).waitFor({ timeout: deadlineMs });
  }

  /** Waits until the tile shows this person, moving. */
  async sees(person: Person, name: string, deadlineMs = 10_000): Promise<void> {
    const selector = `${this.tile(name)} video`;
    const places = new Set<number>();
    let last: unknown;
    await until(
      async () => {
        const isShown = await this.page.evaluate((wanted) => {
          const video = document.querySelector(wanted);
          return video instanceof HTMLVideoElement && getComputedStyle(video).visibility === "visible";
        }, selector);
        const picture = isShown ? await this.#client.pictureOf(selector) : undefined;
        last = picture;
        if (picture === undefined) return false;
        const seen = personOfColour(picture.colour);
        assert.ok(seen === undefined || seen === person, `${String(seen)} is shown as ${name}`);
        if (seen === person && picture.barX !== null) places.add(Math.round(picture.barX));
        return places.size >= 3;
      },
      { what: `${person} is seen as ${name}`, deadlineMs, describe: () => last },
    );
  }

  /** Who is heard now: whatever the page plays, slots and all. */
  async heard(): Promise<readonly Person[]> {
    const ears = (await this.page.evaluate(
      "demoWatch.ears.filter(({ muted, srcObject }) => !muted && srcObject !== null).map(({ id }) => id)",
    )) as string[];
    const tones: Tone[] = [];
    for (const ear of ears) tones.push(await this.#client.toneOf(`#${ear}`));
    return tones.map(personOfTone).filter((person) => person !== undefined);
  }

  async hears(person: Person, deadlineMs = 6_000): Promise<void> {
    await until(async () => (await this.heard()).includes(person), { what: `${person} is heard`, deadlineMs });
  }

  async hearsNobody(deadlineMs = 4_000): Promise<void> {
    await until(async () => (await this.heard()).length === 0, { what: "nobody is heard", deadlineMs });
  }

  /** Waits until the page holds so many open devices: what the camera's light and the browser's mark in the tab show. */
  async holds(wanted: { readonly cameras: number; readonly microphones: number }): Promise<void> {
    let last: unknown;
    await until(
      async () => {
        const live = (await this.page.evaluate(
          `demoWatch.captured.filter(({ readyState }) => readyState === "live").map(({ kind }) => kind)`,
        )) as string[];
        const cameras = live.filter((kind) => kind === "video").length;
        last = { cameras, microphones: live.length - cameras };
        return cameras === wanted.cameras && live.length - cameras === wanted.microphones;
      },
      { what: `${wanted.cameras} cameras, ${wanted.microphones} microphones`, deadlineMs: 5_000, describe: () => last },
    );
  }

  /** Waits until no pictures come in any more, shown or not. */
  async receivesNothing(deadlineMs = 8_000): Promise<void> {
    let before = -1;
    await until(
      async () => {
        const frames = (await this.page.evaluate("demoWatch.framesReceived()")) as number;
        const isStill = frames === before;
        before = frames;
        return isStill;
      },
      // Of 15 frames a second some would have come between two looks.
      { what: "no pictures come in", deadlineMs, intervalMs: 700, describe: () => `${before} frames` },
    );
  }
}
