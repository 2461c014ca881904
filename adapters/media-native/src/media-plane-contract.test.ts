import { randomBytes } from "node:crypto";
import {
  type DtlsTransport,
  type MediaPlaneEvent,
  type PeerHandle,
  type SrtpProfile,
  mintIceCredentials,
  parseStun,
} from "@parley/domain-media-control";
import { type LoadRemote, loadLoadClient } from "@parley/native";
import { Codec, HeaderExtension, MediaKind } from "@parley/protocol";
import { type KeptFeedback, SeededRandom, keptFeedback, mediaPlaneContract } from "@parley/testing";
import { generateCertificate } from "./certificate.ts";
import { NativeMediaPlane } from "./native-media-plane.ts";

const ufragKey = new Uint8Array(16).fill(3);
const random = new SeededRandom(11);
const srtpProfiles: readonly SrtpProfile[] = ["AEAD_AES_128_GCM"];
// As the load client has them built in.
const codecs = [
  { payloadType: 96, codec: Codec.VP8, clockRateHz: 90_000, rtxPayloadType: 97, nack: true, pli: true },
  { payloadType: 111, codec: Codec.OPUS, clockRateHz: 48_000, rtxPayloadType: 0, nack: false, pli: false },
].map((codec) => ({ ...codec, fir: false, transportCc: true }));
const extensions = [
  { id: 3, extension: HeaderExtension.TRANSPORT_CC },
  { id: 4, extension: HeaderExtension.AUDIO_LEVEL },
];

/** Plays the control part for peers of the load client: paths, handshakes, keys. */
class Control {
  readonly plane = new NativeMediaPlane({ udpPort: 0, tcpPort: 0, bind: ["127.0.0.1"], threads: 1, ufragKey });
  readonly feedback: KeptFeedback[] = [];
  readonly #certificate = generateCertificate();
  readonly #byUfrag = new Map<string, PeerHandle>();
  readonly #handshakes = new Map<PeerHandle, DtlsTransport>();
  readonly #remoteFingerprint: Uint8Array;

  constructor(remoteFingerprint: string) {
    this.#remoteFingerprint = Buffer.from(remoteFingerprint.replaceAll(":", ""), "hex");
    this.plane.onEvents((events) => {
      for (const event of events) this.#take(event);
    });
  }

  open(remoteUfrag: string): { readonly peer: PeerHandle; readonly remote: LoadRemote } {
    const { ufrag, password } = mintIceCredentials(ufragKey, random);
    const peer = this.plane.openPeer({ ice: { localUfrag: ufrag, localPassword: password, remoteUfrag } });
    this.#byUfrag.set(ufrag, peer);
    this.plane.setPeerCodecs(peer, codecs, extensions);
    const handshake = this.plane.createDtls({
      certificate: this.#certificate,
      role: "server",
      remoteFingerprints: [{ algorithm: "sha-256", value: this.#remoteFingerprint }],
      srtpProfiles,
    });
    this.#handshakes.set(peer, handshake);
    const hex = Buffer.from(this.#certificate.fingerprint).toString("hex").toUpperCase();
    const fingerprint = hex.replace(/..(?=.)/g, "$&:");
    const port = this.plane.endpoints.find(({ protocol }) => protocol === "udp")?.port ?? 0;
    return { peer, remote: { ip: "127.0.0.1", port, ufrag, password, fingerprint } };
  }

  #take(event: MediaPlaneEvent): void {
    if (event.type === "stun") {
      const peer = this.#byUfrag.get(parseStun(event.datagram)?.username?.split(":")[0] ?? "");
      if (peer === undefined) return;
      // The next check is answered natively.
      this.plane.addPath(peer, event.address);
      this.plane.selectPath(peer, event.address);
    } else if (event.type === "dtls") {
      const handshake = this.#handshakes.get(event.peer);
      if (handshake === undefined) return;
      const { datagrams, state } = handshake.receive(event.datagram);
      for (const datagram of datagrams) this.plane.sendTo(event.address, datagram);
      if (state === "connected") this.plane.setSrtpKeys(event.peer, handshake);
    }
  }
}

mediaPlaneContract("native plane", async () => {
  const client = new (loadLoadClient().LoadClient)();
  const control = new Control(client.fingerprint());
  const { plane, feedback } = control;
  // Commands leave with the microtask and take effect within a millisecond; a closed handle comes back by an event's wake-up.
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

  const reported = async (): Promise<readonly KeptFeedback[]> => {
    const credentials = (): { ufrag: string; password: string } => ({
      ufrag: randomBytes(6).toString("hex"),
      password: randomBytes(18).toString("hex"),
    });
    const theirs = { ...credentials(), srtpProfile: 7, gro: false };
    const ssrcs = { videoSsrc: 101, rtxSsrc: 102, audioSsrc: 103 };
    const publisher = client.addPublisher({ ...theirs, ...ssrcs, profile: "burst" });
    const camera = control.open(theirs.ufrag);
    const track = plane.openTrack(camera.peer, {
      mid: "1",
      kind: MediaKind.VIDEO,
      streamId: 9,
      payloadTypes: [96],
      encodings: [{ ssrc: ssrcs.videoSsrc, rtxSsrc: ssrcs.rtxSsrc, rid: "" }],
      keyFrameIntervalMs: 500,
    });
    const ours = { ...credentials(), srtpProfile: 7, gro: false };
    const subscriber = client.addSubscriber(ours);
    const viewer = control.open(ours.ufrag);
    const slot = plane.openSlot(viewer.peer, {
      mid: "1",
      kind: MediaKind.VIDEO,
      ssrc: 500,
      rtxSsrc: 501,
      clockRateHz: 90_000,
    });
    plane.bindSlot(slot, track, [{ from: 96, to: 96 }]);
    client.connect(publisher, camera.remote);
    client.connect(subscriber, viewer.remote);
    plane.sendFeedbackTo(viewer.peer, { take: (told) => void feedback.push(keptFeedback(told)) });
    client.setSending(true);
    const deadline = performance.now() + 10_000;
    while (!feedback.some(({ groups }) => groups.length > 0)) {
      if (performance.now() > deadline) throw new Error(`no feedback; ${JSON.stringify(client.snapshot())}`);
      await settle();
      plane.takeTransportFeedback();
    }
    return feedback;
  };
  const close = async (): Promise<void> => {
    client.close();
    await plane.close();
  };
  return { plane, settle, reported, close };
});
