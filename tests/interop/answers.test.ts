import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import {
  FORWARDED_CODECS,
  type Negotiated,
  type NegotiationOptions,
  negotiate,
  publisherDecides,
  subscriberDecides,
} from "@parley/domain-media-control";
import { type BrowserClient, SeededRandom, startChild, startChromium, startFirefox } from "@parley/testing";

/** Answers are made without any client's help; here every stack says whether it takes them. */

function answerTo(offer: string, publish: boolean, more: Partial<NegotiationOptions> = {}): Negotiated {
  const result = negotiate(offer, {
    decide: publish ? publisherDecides(7) : subscriberDecides("slot"),
    newIceCredentials: () => ({ ufrag: "localufraglocalufraglo1", password: "localpasswordlocalpasswordlocal1" }),
    random: new SeededRandom(1),
    fingerprint: new Uint8Array(32).fill(0xab),
    candidates: [{ ip: "127.0.0.1", udpPort: 9, tcpPort: 9 }],
    sdpSessionId: "4611686018427387904",
    ...more,
  });
  assert.ok(result.ok, JSON.stringify(!result.ok && result.error));
  return result.value;
}

/** In a page: makes an offer, and later takes an answer and says what came of it. */
const pageScript = `
  globalThis.answersTest = {
    async offer(publish, rids = []) {
      this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
      if (publish) {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
        for (const track of stream.getTracks()) {
          const layers = track.kind === "video" ? rids.map((rid, at) => ({ rid, scaleResolutionDownBy: 2 ** at })) : [];
          const encodings = layers.length > 0 ? { sendEncodings: layers } : {};
          this.pc.addTransceiver(track, { direction: "sendonly", streams: [stream], ...encodings });
        }
      } else {
        this.more();
      }
      return this.reoffer();
    },
    more() {
      for (const kind of ["audio", "video"]) this.pc.addTransceiver(kind, { direction: "recvonly" });
    },
    async reoffer(options) {
      const offer = await this.pc.createOffer(options);
      await this.pc.setLocalDescription(offer);
      return offer.sdp;
    },
    async answer(sdp) {
      await this.pc.setRemoteDescription({ type: "answer", sdp });
      return {
        signaling: this.pc.signalingState,
        directions: this.pc.getTransceivers().map((each) => each.currentDirection),
        layers: this.pc.getSenders().map((each) => each.getParameters().encodings.length),
      };
    },
    close() { this.pc.close(); return null; },
  };`;

interface Applied {
  readonly signaling: string;
  readonly directions: readonly string[];
  /** Encodings of each sender. */
  readonly layers: readonly number[];
}

function browserSuite(
  name: string,
  start: () => Promise<{ openClient: () => Promise<BrowserClient>; close: () => Promise<void> }>,
): void {
  describe(name, async () => {
    const browser = await start();
    after(async () => browser.close());
    const open = async (): Promise<(call: string) => Promise<unknown>> => {
      const { page } = await browser.openClient();
      await page.evaluate(`(() => { ${pageScript}; return null; })()`);
      return async (call) => page.evaluate(`answersTest.${call}`);
    };
    const apply = async (call: (text: string) => Promise<unknown>, sdp: string): Promise<Applied> =>
      (await call(`answer(${JSON.stringify(sdp)})`)) as Applied;

    it("takes the answer to a publishing offer, for each codec preferred", async () => {
      for (const codec of FORWARDED_CODECS) {
        const call = await open();
        const offer = String(await call("offer(true)"));
        const { answerSdp } = answerTo(offer, true, { codecs: { preferred: [codec] } });
        assert.deepEqual((await apply(call, answerSdp)).directions, ["sendonly", "sendonly"]);
        await call("close()");
      }
    });

    it("takes slots, more slots by a re-offer, and an ICE restart", async () => {
      const call = await open();
      const first = answerTo(String(await call("offer(false)")), false);
      assert.deepEqual((await apply(call, first.answerSdp)).directions, ["recvonly", "recvonly"]);

      await call("more()");
      const second = answerTo(String(await call("reoffer()")), false, { previous: first });
      const applied = await apply(call, second.answerSdp);
      assert.equal(applied.signaling, "stable");
      assert.deepEqual(applied.directions, ["recvonly", "recvonly", "recvonly", "recvonly"]);
      assert.deepEqual(second.grant.slots.slice(0, 2), first.grant.slots);

      const newIceCredentials = (): { ufrag: string; password: string } => ({
        ufrag: "localufraglocalufraglo2",
        password: "localpasswordlocalpasswordlocal2",
      });
      const restartOffer = String(await call("reoffer({ iceRestart: true })"));
      const third = answerTo(restartOffer, false, { previous: second, newIceCredentials });
      assert.equal(third.iceRestart, true);
      assert.equal((await apply(call, third.answerSdp)).signaling, "stable");
      await call("close()");
    });

    it("sends as many simulcast layers as are accepted", async () => {
      for (const [maxSimulcastLayers, layers] of [
        [1, 1],
        [3, 3],
      ] as const) {
        const call = await open();
        const offer = String(await call('offer(true, ["f", "h", "q"])'));
        const applied = await apply(call, answerTo(offer, true, { codecs: { maxSimulcastLayers } }).answerSdp);
        assert.equal(applied.layers[1], layers);
        await call("close()");
      }
    });
  });
}

browserSuite("Chromium", startChromium);
browserSuite("Firefox", startFirefox);

const aiortcScript = `
import asyncio, json, sys
from aiortc import RTCPeerConnection, RTCSessionDescription
async def main():
    pc = RTCPeerConnection()
    for kind in ("audio", "video"):
        pc.addTransceiver(kind, direction="sendrecv" if sys.argv[1] == "publish" else "recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    print(json.dumps({"offer": pc.localDescription.sdp}), flush=True)
    answer = json.loads(sys.stdin.readline())["answer"]
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    print("state", pc.signalingState, flush=True)
    await pc.close()
asyncio.run(main())
`;

const client = join(import.meta.dirname, "answer-client.ts");
const stacks: Readonly<Record<string, readonly [string, ...string[]]>> = {
  "libwebrtc outside a browser": [process.execPath, client, "wrtc"],
  libdatachannel: [process.execPath, client, "libdatachannel"],
  aiortc: ["/usr/bin/python3", "-c", aiortcScript],
};

for (const [name, [command, ...args]] of Object.entries(stacks)) {
  describe(name, () => {
    for (const role of ["publish", "watch"]) {
      it(`takes the answer: ${role}`, async () => {
        const child = startChild(command, [...args, role]);
        try {
          const [line] = await child.line(/^\{.*\}$/, 20_000);
          const { offer } = JSON.parse(line) as { offer: string };
          const { answerSdp, grant } = answerTo(offer, role === "publish");
          assert.equal((role === "publish" ? grant.receives : grant.slots).length, 2);
          child.write(`${JSON.stringify({ answer: answerSdp })}\n`);
          const [, state] = await child.line(/^state (\w+)/, 20_000);
          assert.equal(state, "stable");
        } finally {
          await child.stop("SIGKILL");
        }
      });
    }
  });
}
