/** Records offers of libwebrtc and libdatachannel outside a browser: `node tests/offers/record-stacks.ts`. See the fixtures' README.md. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import datachannel from "node-datachannel";
import wrtc from "@roamhq/wrtc";

const fixtures = join(import.meta.dirname, "../../domain/media-control/fixtures");

async function recordWrtc(direction: "sendonly" | "recvonly", name: string): Promise<void> {
  const pc = new wrtc.RTCPeerConnection({ bundlePolicy: "max-bundle" });
  if (direction === "sendonly") {
    const audio = new wrtc.nonstandard.RTCAudioSource().createTrack();
    const video = new wrtc.nonstandard.RTCVideoSource().createTrack();
    const stream = new wrtc.MediaStream([audio, video]);
    for (const track of [audio, video]) pc.addTransceiver(track, { direction, streams: [stream] });
  } else {
    for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction });
  }
  const done = new Promise<void>((resolve) => {
    pc.onicegatheringstatechange = () => {
      if (pc.iceGatheringState === "complete") resolve();
    };
  });
  await pc.setLocalDescription(await pc.createOffer());
  await done;
  await writeFile(join(fixtures, `${name}.sdp`), pc.localDescription?.sdp ?? "");
  pc.close();
}

async function recordDatachannel(direction: "SendOnly" | "RecvOnly", name: string): Promise<void> {
  const pc = new datachannel.PeerConnection("recorder", { iceServers: [], forceMediaTransport: true });
  const audio = new datachannel.Audio("audio", direction);
  audio.addOpusCodec(111);
  const video = new datachannel.Video("video", direction);
  video.addH264Codec(102);
  video.addVP8Codec(96);
  if (direction === "SendOnly") {
    audio.addSSRC(11111111, "cname-a", "stream", "audio");
    video.addSSRC(22222222, "cname-v", "stream", "video");
  }
  const gathered = new Promise<void>((resolve) => {
    pc.onGatheringStateChange((state) => {
      if (state === "complete") resolve();
    });
  });
  pc.addTrack(audio);
  pc.addTrack(video);
  pc.setLocalDescription();
  await gathered;
  await writeFile(join(fixtures, `${name}.sdp`), pc.localDescription()?.sdp ?? "");
  pc.close();
}

await recordWrtc("sendonly", "wrtc-publish");
await recordWrtc("recvonly", "wrtc-watch");
await recordDatachannel("SendOnly", "libdatachannel-publish");
await recordDatachannel("RecvOnly", "libdatachannel-watch");
datachannel.cleanup();
process.exit(0);
