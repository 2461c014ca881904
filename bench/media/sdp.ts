import { randomBytes, randomInt } from "node:crypto";
import type { LoadRemote } from "@parley/native";

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
 * The offer of a viewer, or of a camera with its SSRCs: VP8 with RTX, and Opus. Payload types and extension ids are those
 * the load client has built in (native/include/parley/load/load_peer.h).
 */
export function makeOffer(ice: IceCredentials, fingerprint: string, camera?: CameraSsrcs): string {
  const direction = camera === undefined ? "recvonly" : "sendonly";
  const transport = [
    "c=IN IP4 0.0.0.0",
    `a=ice-ufrag:${ice.ufrag}`,
    `a=ice-pwd:${ice.password}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    "a=setup:actpass",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    `a=${direction}`,
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  ];
  const lines = [
    "v=0",
    `o=- ${randomInt(1, 2 ** 40)} 2 IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ...transport,
    "a=mid:0",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtcp-fb:111 transport-cc",
    ...(camera === undefined ? [] : [`a=ssrc:${camera.audioSsrc} cname:load`]),
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    ...transport,
    "a=mid:1",
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 transport-cc",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
  ];
  if (camera !== undefined) {
    const { videoSsrc, rtxSsrc } = camera;
    lines.push(
      `a=ssrc-group:FID ${videoSsrc} ${rtxSsrc}`,
      `a=ssrc:${videoSsrc} cname:load`,
      `a=ssrc:${rtxSsrc} cname:load`,
    );
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** Where to connect to, from an answer. Throws when something is missing. */
export function readAnswer(sdp: string): LoadRemote {
  const first = (pattern: RegExp, what: string): RegExpExecArray => {
    const match = pattern.exec(sdp);
    if (match === null) throw new Error(`The answer has no ${what}:\n${sdp}`);
    return match;
  };
  // RFC 8839 5.1: foundation, component, transport, priority, address, port.
  const candidate = first(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im, "UDP candidate");
  return {
    ip: candidate[1] ?? "",
    port: Number(candidate[2]),
    ufrag: first(/^a=ice-ufrag:(\S+)/m, "ufrag")[1] ?? "",
    password: first(/^a=ice-pwd:(\S+)/m, "password")[1] ?? "",
    fingerprint: first(/^a=fingerprint:sha-256 (\S+)/im, "fingerprint")[1] ?? "",
  };
}
