import { CARD, PEOPLE, cardAsI420, goertzelPeople, readI420 } from "@parley/testing";
import { type ClientArguments, obey, postOffer, readArguments, say } from "./client-protocol.ts";
import { type WrtcAudioData, type WrtcFrame, nonstandard, peerConnectionOf } from "./wrtc-types.ts";

// A WHIP and WHEP client on @roamhq/wrtc (libwebrtc outside a browser).

const FRAME_MS = 1000 / 15;
const AUDIO_SAMPLES = 480;

async function publish(args: ClientArguments): Promise<void> {
  const videoSource = new nonstandard.RTCVideoSource();
  const audioSource = new nonstandard.RTCAudioSource();
  const peer = peerConnectionOf();
  peer.addTransceiver(videoSource.createTrack(), { direction: "sendonly" });
  peer.addTransceiver(audioSource.createTrack(), { direction: "sendonly" });
  const startedAtMs = performance.now();
  let frames = 0;
  let samples = 0;
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAtMs;
    for (; frames * FRAME_MS <= elapsedMs; frames += 1) {
      videoSource.onFrame({
        width: CARD.width,
        height: CARD.height,
        data: new Uint8ClampedArray(cardAsI420(frames, args.colour)),
      });
    }
    for (; samples / 48 <= elapsedMs; samples += AUDIO_SAMPLES) {
      const sound = Int16Array.from({ length: AUDIO_SAMPLES }, (_none, at) =>
        Math.round(8000 * Math.sin((2 * Math.PI * args.toneHz * (samples + at)) / 48000)),
      );
      audioSource.onData({
        samples: sound,
        sampleRate: 48000,
        bitsPerSample: 16,
        channelCount: 1,
        numberOfFrames: AUDIO_SAMPLES,
      });
    }
  }, 5);
  const leave = await connect(peer, args);
  obey(async () => {
    clearInterval(timer);
    await leave();
  });
}

async function watch(args: ClientArguments): Promise<void> {
  const peer = peerConnectionOf();
  peer.ontrack = ({ track }) => {
    say("track", { kind: track.kind });
    if (track.kind === "video") {
      new nonstandard.RTCVideoSink(track).onframe = ({ frame }: { readonly frame: WrtcFrame }) => {
        const { colour, barX } = readI420(frame);
        say("picture", { width: frame.width, height: frame.height, colour, barX: barX ?? null });
      };
    } else {
      let heard: number[] = [];
      new nonstandard.RTCAudioSink(track).ondata = (data: WrtcAudioData) => {
        for (let at = 0; at < data.samples.length; at += data.channelCount ?? 1) heard.push(data.samples[at] ?? 0);
        if (heard.length < data.sampleRate / 5) return;
        const { person, share } = goertzelPeople(heard, data.sampleRate);
        const energy = heard.reduce((sum, one) => sum + one * one, 0) / heard.length / 32768 ** 2;
        heard = [];
        say("tone", { peakHz: PEOPLE[person].toneHz, share, peakDb: energy === 0 ? -200 : 10 * Math.log10(energy) });
      };
    }
  };
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
  obey(await connect(peer, args));
}

async function connect(peer: RTCPeerConnection, args: ClientArguments): Promise<() => Promise<void>> {
  peer.addEventListener("connectionstatechange", () => say("connection", { state: peer.connectionState }));
  await peer.setLocalDescription(await peer.createOffer());
  if (peer.iceGatheringState !== "complete") {
    await new Promise<void>((resolve) => {
      peer.addEventListener("icegatheringstatechange", () => {
        if (peer.iceGatheringState === "complete") resolve();
      });
    });
  }
  const accepted = await postOffer(args, peer.localDescription?.sdp ?? "");
  await peer.setRemoteDescription({ type: "answer", sdp: accepted.answer });
  return async () => {
    await accepted.leave();
    peer.close();
  };
}

const args = readArguments();
await (args.mode === "publish" ? publish(args) : watch(args));
