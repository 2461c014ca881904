import type { LoadStates, MediaLoad } from "@parley/adapter-media-native";
import { makeOffer, newCredentials, newSsrcs, readAnswer } from "./offer.ts";
import type { ServerProcess } from "./server-process.ts";

const stream = "camera";
/** Offers under way at once: as of clients that come one after the other, without a long queue in the server. */
const concurrency = 8;
const deadlineMs = 60_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** DTLS-SRTP numbers of RFC 5764 and RFC 7714. */
export const srtpProfiles = { gcm: 7, sha1: 1 } as const;

export interface LoadPeerOptions {
  readonly srtp: keyof typeof srtpProfiles;
  /** The viewers' sockets take coalesced packets, to stand for a card's offload. */
  readonly gro: boolean;
  /** How a camera's packets follow each other. */
  readonly camera: "burst" | "spread";
  /** A camera's frames and sounds come so many times as often as from a real one (30 frames and 50 sounds per second). */
  readonly pace: number;
  /** False: the viewers report once a second, and not ten times of each packet's arrival. */
  readonly transportCc?: boolean;
}

/** A viewer of the load client. */
export interface LoadViewer {
  readonly id: number;
  readonly resource: string;
}

/** Brings peers of the load client to a room of the server over WHIP and WHEP, and takes them away again. */
export class LoadPeers {
  readonly #server: ServerProcess;
  readonly #load: MediaLoad;
  readonly #options: LoadPeerOptions;
  readonly #room: string;
  readonly #viewers: LoadViewer[] = [];
  readonly #viewerToken: string;

  constructor(server: ServerProcess, load: MediaLoad, options: LoadPeerOptions, room = "bench") {
    this.#server = server;
    this.#load = load;
    this.#options = options;
    this.#room = room;
    this.#viewerToken = server.token(room, false);
  }

  get viewers(): number {
    return this.#viewers.length;
  }

  /** One more camera; returns when it is connected. */
  async publish(name = stream): Promise<void> {
    const ice = newCredentials();
    const camera = newSsrcs();
    const { camera: profile, pace } = this.#options;
    const id = this.#load.addPublisher({
      ...ice,
      ...camera,
      profile,
      pace,
      srtpProfile: this.#srtpProfile,
      gro: false,
    });
    const offer = makeOffer(ice, this.#load.fingerprint(), { camera });
    const token = this.#server.token(this.#room, true, name);
    const { answer } = await this.#post(`/v1/whip/${this.#room}?stream=${name}`, offer, token);
    connectPeer(this.#load, id, answer);
    await until(`camera ${name} is connected`, () => this.#load.state(id) === "connected");
  }

  /** `count` further viewers; returns when they are connected. */
  async join(count: number): Promise<void> {
    const wanted = this.#load.states().connected + count;
    await inParallel(count, async () => {
      this.#viewers.push(await this.joinOne());
    });
    await this.untilStates(`${wanted} viewers are connected`, ({ connected }) => connected >= wanted);
  }

  async leaveAll(): Promise<void> {
    const leaving = this.#viewers.splice(0);
    await inParallel(leaving.length, async (index) => {
      const viewer = leaving[index];
      if (viewer !== undefined) await this.leave(viewer);
    });
  }

  /** Viewers that come and go again: V8 compiles, and its heap finds its size. */
  async warmUp(count: number): Promise<void> {
    await inParallel(count, async () => {
      const viewer = await this.joinOne();
      await until("a viewer of the warm-up is connected", () => this.#load.state(viewer.id) === "connected");
      await this.leave(viewer);
    });
  }

  async untilStates(what: string, reached: (states: LoadStates) => boolean): Promise<void> {
    await untilStates(this.#load, what, reached);
  }

  /** A viewer whose offer was answered; it connects by itself. Not `measured`: it is not in the load client's figures. */
  async joinOne(measured = true): Promise<LoadViewer> {
    const ice = newCredentials();
    const { gro, transportCc = true } = this.#options;
    const id = this.#load.addSubscriber({ ...ice, srtpProfile: this.#srtpProfile, gro }, measured);
    const offer = makeOffer(ice, this.#load.fingerprint(), { receivePairs: 1, transportCc });
    const { answer, resource } = await this.#post(`/v1/whep/${this.#room}/${stream}`, offer, this.#viewerToken);
    connectPeer(this.#load, id, answer);
    return { id, resource };
  }

  async leave(viewer: LoadViewer): Promise<void> {
    const headers = { authorization: `Bearer ${this.#viewerToken}` };
    const response = await fetch(new URL(viewer.resource, this.#server.origin), { method: "DELETE", headers });
    await response.arrayBuffer();
    this.#load.remove(viewer.id);
    if (!response.ok) throw new Error(`DELETE answered ${response.status}`);
  }

  get #srtpProfile(): number {
    return srtpProfiles[this.#options.srtp];
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

/** Lets a peer of the load client do what its answer says. */
export function connectPeer(load: MediaLoad, id: number, answer: string): void {
  const { remote, slotSsrcs } = readAnswer(answer);
  if (slotSsrcs.length > 0) load.setSlots(id, slotSsrcs);
  const errno = load.connect(id, remote);
  if (errno !== 0) throw new Error(`A socket of the load client failed with errno ${errno}`);
}

/** Waits until the measured viewers are that far; rejects when one of them fails. */
export async function untilStates(
  load: MediaLoad,
  what: string,
  reached: (states: LoadStates) => boolean,
): Promise<void> {
  await until(what, () => {
    const states = load.states();
    if (states.failed > 0) throw new Error(`${states.failed} viewers failed to connect`);
    return reached(states);
  });
}

/** Looks every few milliseconds. */
export async function until(what: string, reached: () => boolean): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!reached()) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await sleep(5);
  }
}

/** Runs `task` for each index below `count`, a few at once. */
export async function inParallel(count: number, task: (index: number) => Promise<void>): Promise<void> {
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
