/** Records offers of the installed Chromium and Firefox: `node tests/offers/record-browsers.ts`. See the fixtures' README.md. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BrowserClient, startChromium, startFirefox } from "@parley/testing";

const fixtures = join(import.meta.dirname, "../../domain/media-control/fixtures");

/** Waits until gathering is complete, so that candidates are in. */
const gathered = `
  const gathered = async (pc) => {
    await pc.setLocalDescription(await pc.createOffer());
    if (pc.iceGatheringState !== "complete") {
      await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", () => {
        if (pc.iceGatheringState === "complete") resolve();
      }));
    }
    return pc.localDescription.sdp;
  };`;

const camera = "await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } })";

const offers: Readonly<Record<string, string>> = {
  publish: `
    const stream = ${camera};
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: "sendonly", streams: [stream] });`,
  "publish-simulcast": `
    const stream = ${camera};
    pc.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
    pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream], sendEncodings: [
      { rid: "q", scaleResolutionDownBy: 4 }, { rid: "h", scaleResolutionDownBy: 2 }, { rid: "f" }] });`,
  watch: `
    pc.addTransceiver("audio", { direction: "recvonly" });
    pc.addTransceiver("video", { direction: "recvonly" });`,
  "watch-slots": `
    for (let pair = 0; pair < 4; pair += 1) {
      pc.addTransceiver("audio", { direction: "recvonly" });
      pc.addTransceiver("video", { direction: "recvonly" });
    }
    pc.createDataChannel("data");`,
  sendrecv: `
    const stream = ${camera};
    for (const track of stream.getTracks()) pc.addTrack(track, stream);`,
};

for (const [name, start] of [
  ["chromium", startChromium],
  ["firefox", startFirefox],
] as const) {
  const browser = await start();
  try {
    const client: BrowserClient = await browser.openClient();
    for (const [kind, body] of Object.entries(offers)) {
      const sdp = await client.page.evaluate(
        `(async () => { ${gathered} const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }); ${body} return gathered(pc); })()`,
      );
      await writeFile(join(fixtures, `${name}-${kind}.sdp`), String(sdp));
    }
  } finally {
    await browser.close();
  }
}
