import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createLocalBus } from "@parley/adapter-bus-local";
import { type NativeMediaPlane, generateCertificate, startNativePlane } from "@parley/adapter-media-native";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import {
  type Negotiated,
  type SlotGrant,
  mintIceCredentials,
  negotiate,
  publisherDecides,
  subscriberDecides,
} from "@parley/domain-media-control";
import { type Bus, subjects } from "@parley/foundation";
import { type SessionStatus, SessionGrantSchema, SessionState, SessionStatusSchema } from "@parley/protocol";
import { type MediaNode, createMediaNode } from "@parley/service-media";
import { type Chromium, SeededRandom, nullLogger, startChromium, until } from "@parley/testing";
import type { Page } from "playwright-core";
import { realClock } from "./real-clock.ts";

/** The media node with its real data plane and real clients; signaling is played by the test, by negotiation and grants alone. */

const script = `
  globalThis.session = {
    async offer(publish) {
      this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
      if (publish) {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240, frameRate: 15 } });
        for (const track of stream.getTracks()) this.pc.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      } else {
        for (const kind of ["audio", "video"]) this.pc.addTransceiver(kind, { direction: "recvonly" });
        this.pc.addEventListener("track", ({ track }) => {
          if (track.kind !== "video") return;
          const video = document.createElement("video");
          video.muted = true;
          video.srcObject = new MediaStream([track]);
          video.play();
        });
      }
      return this.reoffer();
    },
    async reoffer(options) {
      const offer = await this.pc.createOffer(options);
      await this.pc.setLocalDescription(offer);
      return offer.sdp;
    },
    async answer(sdp) { await this.pc.setRemoteDescription({ type: "answer", sdp }); },
    state() { return this.pc.connectionState; },
    close() { this.pc.close(); },
    async received() {
      const result = { frames: 0, soundPackets: 0, sources: [] };
      for (const report of (await this.pc.getStats()).values()) {
        if (report.type !== "inbound-rtp") continue;
        if (report.kind === "video") result.frames = report.framesDecoded ?? 0;
        else result.soundPackets = report.packetsReceived ?? 0;
      }
      for (const receiver of this.pc.getReceivers()) {
        result.sources.push(...receiver.getContributingSources().map(({ source }) => source));
      }
      return result;
    },
  };`;

interface Received {
  readonly frames: number;
  readonly soundPackets: number;
  readonly sources: readonly number[];
}

interface Connecting {
  readonly tcpOnly?: boolean;
  readonly dtlsRole?: "active" | "passive";
}

const ufragKey = new Uint8Array(16).fill(0x42);

class Apparatus {
  readonly bus: Bus = createLocalBus({ clock: realClock, logger: nullLogger });
  readonly plane: NativeMediaPlane = startNativePlane({
    udpPort: 0,
    tcpPort: 0,
    bind: ["0.0.0.0"],
    threads: 1,
    ufragKey,
  });
  readonly node: MediaNode;
  readonly statuses = new Map<string, SessionStatus>();
  readonly #random = new SeededRandom(5);
  readonly #certificate = generateCertificate();
  readonly #sessions = new Map<string, { negotiated: Negotiated; revision: bigint; slots: SlotGrant[] }>();

  constructor() {
    this.bus.subscribe(subjects.mediaStatusAll, ({ payload }) => {
      const status = fromBinary(SessionStatusSchema, payload);
      this.statuses.set(status.sessionId, status);
    });
    this.node = createMediaNode({
      nodeId: "node",
      plane: this.plane,
      certificate: this.#certificate,
      bus: this.bus,
      clock: realClock,
      random: this.#random,
      logger: nullLogger,
      metrics: createPromMetrics({ processMetrics: undefined }),
      config: { addresses: [] },
    });
    this.node.start();
  }

  answer(sessionId: string, offer: string, publish: boolean, by: Connecting = {}): string {
    const portOf = (protocol: "udp" | "tcp"): number =>
      this.plane.endpoints.find((endpoint) => endpoint.protocol === protocol)?.port ?? 0;
    const before = this.#sessions.get(sessionId);
    const result = negotiate(offer, {
      decide: publish ? publisherDecides(77) : subscriberDecides("slot"),
      newIceCredentials: () => mintIceCredentials(ufragKey, this.#random),
      random: this.#random,
      fingerprint: this.#certificate.fingerprint,
      candidates: [{ ip: "127.0.0.1", udpPort: by.tcpOnly === true ? 0 : portOf("udp"), tcpPort: portOf("tcp") }],
      dtlsRole: by.dtlsRole ?? "passive",
      sdpSessionId: "1",
      ...(before === undefined ? {} : { previous: before.negotiated }),
    });
    assert.ok(result.ok, JSON.stringify(!result.ok && result.error));
    const slots = before?.slots ?? result.value.grant.slots;
    this.#sessions.set(sessionId, { negotiated: result.value, revision: before?.revision ?? 0n, slots });
    this.publish(sessionId);
    return result.value.answerSdp;
  }

  bind(sessionId: string, publisherSessionId: string): void {
    const session = this.#sessions.get(sessionId);
    assert.ok(session);
    session.slots = session.slots.map((slot) => ({
      ...slot,
      binding: { publisherSessionId, publisherMid: slot.mid, streamId: 77 },
    }));
    this.publish(sessionId);
  }

  publish(sessionId: string, closed = false): void {
    const session = this.#sessions.get(sessionId);
    assert.ok(session);
    session.revision += 1n;
    const { revision, slots, negotiated } = session;
    const nodeBootId = this.node.bootId;
    const ids = { appId: "app", roomId: "room", sessionId, revision, nodeBootId, closed };
    const grant = create(SessionGrantSchema, { ...negotiated.grant, slots, ...ids });
    this.bus.publish(subjects.mediaGrant("node"), toBinary(SessionGrantSchema, grant));
  }

  async close(): Promise<void> {
    this.node.close();
    await this.bus.close();
    await this.plane.close();
  }
}

describe("media node with its data plane", () => {
  let chromium: Chromium;
  let apparatus: Apparatus;

  before(async () => {
    apparatus = new Apparatus();
    chromium = await startChromium();
  });

  after(async () => {
    await chromium.close();
    await apparatus.close();
  });

  const call = async (page: Page, text: string): Promise<unknown> => page.evaluate(`session.${text}`);

  async function open(sessionId: string, publish: boolean, by: Connecting = {}): Promise<Page> {
    const page = await chromium.openPage();
    await page.evaluate(`(() => { ${script} })()`);
    const answer = apparatus.answer(sessionId, String(await call(page, `offer(${publish})`)), publish, by);
    await call(page, `answer(${JSON.stringify(answer)})`);
    return page;
  }

  const connected = async (page: Page): Promise<unknown> =>
    until(async () => ((await call(page, "state()")) === "connected" ? true : undefined), {
      what: "the client is connected",
      deadlineMs: 10_000,
    });

  async function seen(page: Page, frames: number): Promise<Received> {
    return until(
      async () => {
        const received = (await call(page, "received()")) as Received;
        return received.frames >= frames && received.soundPackets > 0 ? received : undefined;
      },
      { what: `${frames} frames are decoded`, deadlineMs: 10_000 },
    );
  }

  it("a viewer that came first sees the publisher, named by CSRC; statuses tell of both", async () => {
    const viewer = await open("w", false);
    apparatus.bind("w", "p");
    await connected(viewer);
    const publisher = await open("p", true);
    await connected(publisher);
    const received = await seen(viewer, 20);
    assert.ok(received.sources.includes(77), `CSRCs ${received.sources.join()}`);
    const status = await until(
      () =>
        apparatus.statuses.get("p")?.tracks.every(({ live }) => live) === true
          ? apparatus.statuses.get("p")
          : undefined,
      { what: "both tracks are live", deadlineMs: 5000 },
    );
    assert.equal(status.state, SessionState.CONNECTED);
    assert.deepEqual(
      apparatus.statuses.get("w")?.slots.map(({ streamId }) => streamId),
      [77, 77],
    );
    await viewer.close();
    await publisher.close();
  });

  it("a late viewer gets its key frame; an ICE restart leaves the picture running", async () => {
    const publisher = await open("p2", true);
    await connected(publisher);
    const viewer = await open("w2", false);
    apparatus.bind("w2", "p2");
    const { frames } = await seen(viewer, 10);
    const answer = apparatus.answer("w2", String(await call(viewer, "reoffer({ iceRestart: true })")), false);
    await call(viewer, `answer(${JSON.stringify(answer)})`);
    await seen(viewer, frames + 60);
    assert.equal(apparatus.statuses.get("w2")?.state, SessionState.CONNECTED);
    await viewer.close();
    await publisher.close();
  });

  for (const [what, by] of [
    ["TCP only", { tcpOnly: true }],
    ["our side sending the ClientHello", { dtlsRole: "active" }],
  ] as const) {
    it(`works with ${what}`, async () => {
      const publisher = await open(`p ${what}`, true, by);
      await connected(publisher);
      const viewer = await open(`w ${what}`, false, by);
      apparatus.bind(`w ${what}`, `p ${what}`);
      await seen(viewer, 10);
      await viewer.close();
      await publisher.close();
    });
  }

  it("a client that closes its PeerConnection is noticed at once", async () => {
    const publisher = await open("p3", true);
    await connected(publisher);
    await call(publisher, "close()");
    await until(() => (apparatus.statuses.get("p3")?.state === SessionState.CLOSED ? true : undefined), {
      what: "the session is closed",
      deadlineMs: 2000,
    });
    await publisher.close();
  });
});
