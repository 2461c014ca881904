/**
 * `node answer-client.ts wrtc|libdatachannel publish|watch`: prints an offer as JSON, reads an answer as JSON, says the state that came of it. A process of
 * its own, because these addons do not survive the end of one.
 */
import { createInterface } from "node:readline";
import datachannel from "node-datachannel";
import wrtc from "@roamhq/wrtc";

interface Stack {
  readonly offer: string;
  /** Returns the signaling state. */
  readonly take: (answer: string) => Promise<string>;
}

async function libwebrtc(publish: boolean): Promise<Stack> {
  const pc = new wrtc.RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: publish ? "sendonly" : "recvonly" });
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  return {
    offer: offer.sdp ?? "",
    take: async (sdp) => {
      await pc.setRemoteDescription({ type: "answer", sdp });
      return pc.signalingState;
    },
  };
}

function libdatachannel(publish: boolean): Stack {
  const pc = new datachannel.PeerConnection("client", { iceServers: [], forceMediaTransport: true });
  const audio = new datachannel.Audio("audio", publish ? "SendOnly" : "RecvOnly");
  audio.addOpusCodec(111);
  const video = new datachannel.Video("video", publish ? "SendOnly" : "RecvOnly");
  video.addH264Codec(102);
  pc.addTrack(audio);
  pc.addTrack(video);
  pc.setLocalDescription();
  return {
    offer: pc.localDescription()?.sdp ?? "",
    take: async (sdp) => {
      pc.setRemoteDescription(sdp, "answer");
      return pc.signalingState();
    },
  };
}

const [stackName, role] = process.argv.slice(2);
const stack = stackName === "wrtc" ? await libwebrtc(role === "publish") : libdatachannel(role === "publish");
console.log(JSON.stringify({ offer: stack.offer }));
for await (const line of createInterface({ input: process.stdin })) {
  const { answer } = JSON.parse(line) as { answer: string };
  console.log(`state ${await stack.take(answer)}`);
}
