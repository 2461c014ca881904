import type { LoadStates, NativeLoadClient } from "@parley/native";
import type { MediaBenchOptions } from "./arguments.ts";
import { makeOffer, newCredentials, newSsrcs, readAnswer } from "./sdp.ts";
import type { ServerProcess } from "./server-process.ts";

const room = "bench";
const stream = "camera";
/** Offers under way at once: as of clients that come one after the other, without a long queue in the server. */
const concurrency = 8;
const deadlineMs = 60_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** DTLS-SRTP numbers of RFC 5764 and RFC 7714. */
const srtpProfiles = { gcm: 7, sha1: 1 } as const;

interface Viewer {
  readonly id: number;
  readonly resource: string;
}

/** Brings peers of the load client to the server over WHIP and WHEP, and takes them away again. */
export class Joining {
  readonly #server: ServerProcess;
  readonly #client: NativeLoadClient;
  readonly #options: MediaBenchOptions;
  readonly #viewers: Viewer[] = [];
  readonly #viewerToken: string;

  constructor(server: ServerProcess, client: NativeLoadClient, options: MediaBenchOptions) {
    this.#server = server;
    this.#client = client;
    this.#options = options;
    this.#viewerToken = server.token(room, false);
  }

  get viewers(): number {
    return this.#viewers.length;
  }

  async publish(): Promise<void> {
    const ice = newCredentials();
    const ssrcs = newSsrcs();
    const { profile } = this.#options;
    const id = this.#client.addPublisher({ ...ice, ...ssrcs, profile, srtpProfile: this.#srtpProfile, gro: false });
    const offer = makeOffer(ice, this.#client.fingerprint(), ssrcs);
    const token = this.#server.token(room, true);
    const { answer } = await this.#post(`/v1/whip/${room}?stream=${stream}`, offer, token);
    this.#connect(id, answer);
    await until("the camera is connected", () => this.#client.state(id) === "connected");
  }

  /** `count` further viewers; returns when all are connected. */
  async join(count: number): Promise<void> {
    const wanted = this.#viewers.length + count;
    await inParallel(count, async () => {
      this.#viewers.push(await this.#joinOne());
    });
    await this.untilStates(`${wanted} viewers are connected`, ({ connected }) => connected >= wanted);
  }

  async leaveAll(): Promise<void> {
    const leaving = this.#viewers.splice(0);
    await inParallel(leaving.length, async (index) => {
      const viewer = leaving[index];
      if (viewer !== undefined) await this.#leave(viewer);
    });
  }

  /** Viewers that come and go again: V8 compiles, and its heap finds its size. */
  async warmUp(count: number): Promise<void> {
    await inParallel(count, async () => {
      const viewer = await this.#joinOne();
      await until("a viewer of the warm-up is connected", () => this.#client.state(viewer.id) === "connected");
      await this.#leave(viewer);
    });
  }

  async untilStates(what: string, reached: (states: LoadStates) => boolean): Promise<void> {
    await until(what, () => {
      const states = this.#client.states();
      if (states.failed > 0) throw new Error(`${states.failed} viewers failed to connect`);
      return reached(states);
    });
  }

  get #srtpProfile(): number {
    return srtpProfiles[this.#options.srtp];
  }

  async #joinOne(): Promise<Viewer> {
    const ice = newCredentials();
    const id = this.#client.addSubscriber({ ...ice, srtpProfile: this.#srtpProfile, gro: this.#options.gro });
    const offer = makeOffer(ice, this.#client.fingerprint());
    const { answer, resource } = await this.#post(`/v1/whep/${room}/${stream}`, offer, this.#viewerToken);
    this.#connect(id, answer);
    return { id, resource };
  }

  async #leave(viewer: Viewer): Promise<void> {
    const headers = { authorization: `Bearer ${this.#viewerToken}` };
    const response = await fetch(new URL(viewer.resource, this.#server.origin), { method: "DELETE", headers });
    await response.arrayBuffer();
    this.#client.remove(viewer.id);
    if (!response.ok) throw new Error(`DELETE answered ${response.status}`);
  }

  #connect(id: number, answer: string): void {
    const errno = this.#client.connect(id, readAnswer(answer));
    if (errno !== 0) throw new Error(`A socket of the load client failed with errno ${errno}`);
  }

  async #post(path: string, offer: string, token: string): Promise<{ answer: string; resource: string }> {
    const response = await fetch(`${this.#server.origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/sdp", authorization: `Bearer ${token}` },
      body: offer,
    });
    const answer = await response.text();
    const resource = response.headers.get("location");
    if (response.status !== 201 || resource === null) throw new Error(`${path} answered ${response.status}: ${answer}`);
    return { answer, resource };
  }
}

/** Looks every few milliseconds. */
async function until(what: string, reached: () => boolean): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!reached()) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await sleep(5);
  }
}

async function inParallel(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await task(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
}
