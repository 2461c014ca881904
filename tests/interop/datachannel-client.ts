import { createSocket } from "node:dgram";
import { fileURLToPath } from "node:url";
import { PEOPLE, freePort, startChild } from "@parley/testing";
import { Audio, PeerConnection, RtcpReceivingSession, type Track, Video } from "node-datachannel";
import { type ClientArguments, obey, postOffer, readArguments, say } from "./client-protocol.ts";

// A WHIP and WHEP client on node-datachannel (libdatachannel). It has ICE, DTLS and SRTP but no codecs: plain RTP goes to and comes from
// GStreamer next to it.

const VIDEO = { payloadType: 96, ssrc: 0x1001 };
const AUDIO = { payloadType: 111, ssrc: 0x1002 };
const GSTREAMER = fileURLToPath(new URL("./gst_client.py", import.meta.url));

/** RFC 4585 6.3.1 and RFC 5104 4.3.1: PSFB with FMT 1 (PLI) or 4 (FIR), anywhere in a compound packet. */
function asksForKeyFrame(packet: Buffer): boolean {
  for (let at = 0; at + 4 <= packet.length; at += 4 * (packet.readUInt16BE(at + 2) + 1)) {
    const format = (packet[at] ?? 0) & 0x1f;
    if (packet[at + 1] === 206 && (format === 1 || format === 4)) return true;
  }
  return false;
}

function addVideo(peer: PeerConnection, codec: string, sends: boolean): Track {
  const video = new Video("0", sends ? "SendOnly" : "RecvOnly");
  if (codec === "H264") video.addH264Codec(VIDEO.payloadType);
  else if (codec === "VP9") video.addVP9Codec(VIDEO.payloadType);
  else video.addVP8Codec(VIDEO.payloadType);
  if (sends) video.addSSRC(VIDEO.ssrc, "datachannel", "stream", "video");
  return peer.addTrack(video);
}

function addAudio(peer: PeerConnection, sends: boolean): Track {
  const audio = new Audio("1", sends ? "SendOnly" : "RecvOnly");
  audio.addOpusCodec(AUDIO.payloadType);
  if (sends) audio.addSSRC(AUDIO.ssrc, "datachannel", "stream", "audio");
  return peer.addTrack(audio);
}

async function publish(args: ClientArguments): Promise<void> {
  const peer = new PeerConnection("publisher", { iceServers: [] });
  const tracks = { video: addVideo(peer, args.codec, true), audio: addAudio(peer, true) };
  const leave = await connect(peer, args);
  const ports = { video: await freePort(), audio: await freePort() };
  const sockets = (["video", "audio"] as const).map((kind) => {
    const socket = createSocket("udp4");
    socket.bind(ports[kind], "127.0.0.1");
    socket.on("message", (packet) => {
      if (tracks[kind].isOpen()) tracks[kind].sendMessageBinary(packet);
    });
    return socket;
  });
  const encoder = startChild("/usr/bin/python3", [
    GSTREAMER,
    "rtp-out",
    ...["--codec", args.codec, "--colour", args.colour.join(","), "--tone", String(args.toneHz)],
    ...["--video-port", String(ports.video), "--video-ssrc", String(VIDEO.ssrc)],
    ...["--audio-port", String(ports.audio), "--audio-ssrc", String(AUDIO.ssrc)],
  ]);
  tracks.video.onMessage((packet) => {
    if (asksForKeyFrame(packet)) encoder.write("keyframe\n");
  });
  tracks.audio.onMessage(() => undefined);
  obey(async () => {
    await leave();
    await encoder.stop();
    for (const socket of sockets) socket.close();
  });
}

async function watch(args: ClientArguments): Promise<void> {
  const peer = new PeerConnection("viewer", { iceServers: [] });
  const tracks = { video: addVideo(peer, args.codec, false), audio: addAudio(peer, false) };
  const ports = { video: await freePort(), audio: await freePort() };
  const decoder = startChild("/usr/bin/python3", [
    GSTREAMER,
    "rtp-in",
    ...[
      "--codec",
      args.codec,
      "--tones",
      Object.values(PEOPLE)
        .map(({ toneHz }) => toneHz)
        .join(","),
    ],
    ...["--video-port", String(ports.video), "--audio-port", String(ports.audio)],
  ]);
  await decoder.line(/"started"/, 10_000);
  const socket = createSocket("udp4");
  for (const kind of ["video", "audio"] as const) {
    tracks[kind].setMediaHandler(new RtcpReceivingSession());
    tracks[kind].onMessage((packet) => {
      // RTCP shares the transport: RFC 5761, 4.
      const type = (packet[1] ?? 0) & 0x7f;
      if (type < 64 || type > 95) socket.send(packet, ports[kind], "127.0.0.1");
    });
  }
  const leave = await connect(peer, args);
  let passed = 0;
  const timer = setInterval(() => {
    for (; passed < decoder.lines.length; passed += 1) process.stdout.write(`${decoder.lines[passed]}\n`);
  }, 20);
  obey(async () => {
    clearInterval(timer);
    await leave();
    await decoder.stop();
    socket.close();
  });
}

async function connect(peer: PeerConnection, args: ClientArguments): Promise<() => Promise<void>> {
  peer.onStateChange((state) => say("connection", { state }));
  const gathered = new Promise<void>((resolve) => {
    peer.onGatheringStateChange((state) => {
      if (state === "complete") resolve();
    });
  });
  peer.setLocalDescription("offer");
  await gathered;
  const accepted = await postOffer(args, peer.localDescription()?.sdp ?? "");
  peer.setRemoteDescription(accepted.answer, "answer");
  return async () => {
    await accepted.leave();
    peer.close();
  };
}

const args = readArguments();
await (args.mode === "publish" ? publish(args) : watch(args));
