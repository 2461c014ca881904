import { randomBytes, randomInt } from "node:crypto";
import type { LoadRemote } from "@parley/adapter-media-native";

/** ICE credentials of one peer of the load client. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

export interface CameraSsrcs {
  readonly videoSsrc: number;
  readonly rtxSsrc: number;
  readonly audioSsrc: number;
}

export function newCredentials(): IceCredentials {
  return { ufrag: randomBytes(6).toString("hex"), password: randomBytes(18).toString("hex") };
}

export function newSsrcs(): CameraSsrcs {
  const first = randomInt(1, 0x7fff_0000);
  return { videoSsrc: first, rtxSsrc: first + 1, audioSsrc: first + 2 };
}

/**
 * What a peer of the load client offers: a camera with its microphone to send, or pairs of sections to receive with; without `transportCc` it reports
 * once a second only.
 */
export type OfferedMedia =
  | { readonly camera: CameraSsrcs }
  | { readonly receivePairs: number; readonly transportCc?: boolean };

/**
 * VP8 with RTX, and Opus: audio has the even mids, the video that belongs to it the next one. Payload types and extension ids are those the load
 * client has built in (native/include/parley/load/load_peer.h).
 */
export function makeOffer(ice: IceCredentials, fingerprint: string, media: OfferedMedia): string {
  const camera = "camera" in media ? media.camera : undefined;
  const pairs = "camera" in media ? 1 : media.receivePairs;
  const transportCc = "camera" in media || media.transportCc !== false;
  const transport = [
    "c=IN IP4 0.0.0.0",
    `a=ice-ufrag:${ice.ufrag}`,
    `a=ice-pwd:${ice.password}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    "a=setup:actpass",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    `a=${camera === undefined ? "recvonly" : "sendonly"}`,
    ...(transportCc ? ["a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"] : []),
  ];
  const mids = Array.from({ length: pairs * 2 }, (_, mid) => mid);
  const lines = [
    "v=0",
    `o=- ${randomInt(1, 2 ** 40)} 2 IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${mids.join(" ")}`,
    ...mids.flatMap((mid) =>
      mid % 2 === 0 ? audioSection(mid, transport, camera) : videoSection(mid, transport, camera),
    ),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

function audioSection(mid: number, transport: readonly string[], camera: CameraSsrcs | undefined): string[] {
  return [
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ...transport,
    `a=mid:${mid}`,
    "a=extmap:4 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtcp-fb:111 transport-cc",
    ...(camera === undefined ? [] : [`a=ssrc:${camera.audioSsrc} cname:load`]),
  ];
}

function videoSection(mid: number, transport: readonly string[], camera: CameraSsrcs | undefined): string[] {
  const lines = [
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    ...transport,
    `a=mid:${mid}`,
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 transport-cc",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
  ];
  if (camera === undefined) return lines;
  const { videoSsrc, rtxSsrc } = camera;
  return [
    ...lines,
    `a=ssrc-group:FID ${videoSsrc} ${rtxSsrc}`,
    `a=ssrc:${videoSsrc} cname:load`,
    `a=ssrc:${rtxSsrc} cname:load`,
  ];
}

export interface ReadAnswer {
  readonly remote: LoadRemote;
  /** SSRC and RTX SSRC (0: audio) of each section that the server sends in, one after the other. */
  readonly slotSsrcs: readonly number[];
}

/** Where to connect to, and what will come, from an answer. Throws when something is missing. */
export function readAnswer(sdp: string): ReadAnswer {
  const first = (pattern: RegExp, what: string): RegExpExecArray => {
    const match = pattern.exec(sdp);
    if (match === null) throw new Error(`The answer has no ${what}:\n${sdp}`);
    return match;
  };
  // RFC 8839 5.1: foundation, component, transport, priority, address, port.
  const candidate = first(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im, "UDP candidate");
  return {
    remote: {
      ip: candidate[1] ?? "",
      port: Number(candidate[2]),
      ufrag: first(/^a=ice-ufrag:(\S+)/m, "ufrag")[1] ?? "",
      password: first(/^a=ice-pwd:(\S+)/m, "password")[1] ?? "",
      fingerprint: first(/^a=fingerprint:sha-256 (\S+)/im, "fingerprint")[1] ?? "",
    },
    slotSsrcs: sdp.split(/^m=/m).slice(1).flatMap(slotSsrcsOf),
  };
}

function slotSsrcsOf(section: string): number[] {
  const pair = /^a=ssrc-group:FID (\d+) (\d+)/m.exec(section);
  if (pair !== null) return [Number(pair[1]), Number(pair[2])];
  const single = /^a=ssrc:(\d+)/m.exec(section);
  return single === null ? [] : [Number(single[1]), 0];
}
