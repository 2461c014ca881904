import assert from "node:assert/strict";
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
  globalThis.demoWatch = { ears: [], peers: [] };
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

/** Small pictures for two cores, and tones that no noise suppression removes. */
const settings = { quality: "low", originalSound: true };

export interface DemoOptions {
  readonly room: string;
  readonly name: string;
  readonly host?: boolean;
  readonly token?: string;
}

export class DemoPage {
  readonly page: Page;
  readonly #client: BrowserClient;

  private constructor(page: Page) {
    this.page = page;
    this.#client = new BrowserClient(pageScript(page));
  }

  /** Opens the demo's form. */
  static async open(chromium: Chromium, server: ParleyProcess, options: DemoOptions): Promise<DemoPage> {
    const page = await chromium.context.newPage();
    await page.addInitScript({ content: watcher });
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

  /** Frames that came in so far, whether shown or not. */
  async framesReceived(): Promise<number> {
    return (await this.page.evaluate("demoWatch.framesReceived()")) as number;
  }
}
