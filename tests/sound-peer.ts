import { setTimeout as wait } from "node:timers/promises";
import { Audio, cleanup, PeerConnection, RtcpReceivingSession, type Track } from "node-datachannel";

const opusType = 111;
const levelExtensionId = 4;
const levelExtension = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const closeDeadlineMs = 2_000;
const lastWordsMs = 200;
const packetMs = 20;
const ticksPerPacket = 960;

/**
 * A peer on another stack with sound only, whose packets are made and read one by one: a speaker says how loud it is in the header extension of
 * RFC 6464, a listener sees by the CSRC whose packets come.
 */
export class SoundPeer {
  static readonly #closed: Promise<void>[] = [];
  readonly #peer = new PeerConnection("sound", { iceServers: [] });
  readonly #tracks: readonly Track[];
  readonly #ssrc = 1 + Math.floor(Math.random() * 0x7fff_ffff);
  /** By stream, when its packets came. */
  readonly #heard = new Map<number, number[]>();
  #level: number;
  #timer: NodeJS.Timeout | undefined;

  private constructor(level: number, tracks: number, direction: "SendOnly" | "RecvOnly") {
    this.#level = level;
    SoundPeer.#closed.push(
      new Promise((resolve) => {
        this.#peer.onStateChange((state) => {
          if (state === "closed") resolve();
        });
      }),
    );
    this.#tracks = Array.from({ length: tracks }, (_, index) => {
      const audio = new Audio(String(index), direction);
      audio.addOpusCodec(opusType);
      if (direction === "SendOnly") audio.addSSRC(this.#ssrc, "sound", "stream", "audio");
      const track = this.#peer.addTrack(audio);
      if (direction === "RecvOnly") {
        track.setMediaHandler(new RtcpReceivingSession());
        track.onMessage((packet) => this.#hear(packet));
      }
      return track;
    });
  }

  /** Sends 50 packets a second from the first moment it can; `level` is in -dBov, 127 is silence. */
  static speaker(level: number): SoundPeer {
    const peer = new SoundPeer(level, 1, "SendOnly");
    peer.#send();
    return peer;
  }

  static listener(tracks: number): SoundPeer {
    return new SoundPeer(0, tracks, "RecvOnly");
  }

  /**
   * Ends what the library keeps running for all peers of the process, after the last word of its threads: one that calls back into a process
   * that ends crashes it.
   */
  static async cleanUp(): Promise<void> {
    await Promise.race([Promise.all(SoundPeer.#closed), wait(closeDeadlineMs)]);
    await wait(lastWordsMs);
    cleanup();
  }

  async offer(): Promise<string> {
    const gathered = new Promise<void>((resolve) => {
      this.#peer.onGatheringStateChange((state) => {
        if (state === "complete") resolve();
      });
    });
    this.#peer.setLocalDescription("offer");
    await gathered;
    const sdp = this.#peer.localDescription()?.sdp ?? "";
    return sdp.replaceAll(/^a=mid:.*$/gm, (line) =>
      `${line}\na=extmap:${levelExtensionId} ${levelExtension}`.replaceAll("\n", "\r\n"),
    );
  }

  answered(sdp: string): void {
    this.#peer.setRemoteDescription(sdp, "answer");
  }

  say(level: number): void {
    this.#level = level;
  }

  /** When the first packet of the stream since then came, in the time of `performance.now()`. */
  heardSince(streamId: number, sinceMs: number): number | undefined {
    return this.#heard.get(streamId)?.find((atMs) => atMs >= sinceMs);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const track of this.#tracks) track.close();
    this.#peer.close();
  }

  #send(): void {
    const startedMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      // A late timer makes up for it, as an encoder would.
      for (; sent * packetMs <= performance.now() - startedMs; sent += 1) {
        const [track] = this.#tracks;
        if (track?.isOpen() === true) track.sendMessageBinary(this.#packet(sent));
      }
    }, packetMs / 2);
  }

  #packet(index: number): Buffer {
    const packet = Buffer.alloc(12 + 8 + 20, 0x55);
    packet.writeUInt8(0x90, 0);
    packet.writeUInt8(opusType, 1);
    packet.writeUInt16BE(index & 0xffff, 2);
    packet.writeUInt32BE((index * ticksPerPacket) >>> 0, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    // One-byte header extensions (RFC 8285 4.2): one word.
    packet.writeUInt32BE(0xbede_0001, 12);
    packet.writeUInt8(levelExtensionId << 4, 16);
    packet.writeUInt8(this.#level, 17);
    packet.writeUInt16BE(0, 18);
    return packet;
  }

  #hear(packet: Buffer): void {
    const type = (packet[1] ?? 0) & 0x7f;
    const contributors = (packet[0] ?? 0) & 0x0f;
    if (type !== opusType || contributors === 0) return;
    const streamId = packet.readUInt32BE(12);
    const times = this.#heard.get(streamId) ?? [];
    times.push(performance.now());
    this.#heard.set(streamId, times);
  }
}
