import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SeededRandom, fuzzBudget, fuzzSeed, mutateText } from "@parley/testing";
import { parseTrickleFragment, writeTrickleFragment } from "../ice/trickle-fragment.ts";
import { negotiate } from "../negotiation/negotiate.ts";
import { publisherDecides, subscriberDecides } from "../negotiation/policies.ts";
import { parseSdp } from "./parse.ts";
import { writeSdp } from "./write.ts";

const folder = join(import.meta.dirname, "../../fixtures");
const offers = readdirSync(folder)
  .filter((name) => name.endsWith(".sdp"))
  .map((name) => readFileSync(join(folder, name), "utf8"));

const words = [
  "a=mid:0\r\n",
  "a=group:BUNDLE 0 1\r\n",
  "a=bundle-only\r\n",
  "a=rtpmap:96 VP8/90000\r\n",
  "a=fmtp:97 apt=97\r\n",
  "a=ssrc-group:FID 1 1\r\n",
  "a=ssrc:0 cname:x\r\n",
  "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
  "a=simulcast:send ;\r\n",
  "a=setup:holdconn\r\n",
  "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n",
  "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
  "4294967295",
  "-1",
  "\r\n",
  ":",
  "/",
];

describe("fuzz: SDP", () => {
  it("any text is a value or an error, and what is read is written the same", () => {
    const random = new SeededRandom(fuzzSeed(1));
    const goesOn = fuzzBudget(3000);
    let read = 0;
    let answered = 0;
    let round = 0;
    for (; goesOn(round); round += 1) {
      const text = mutateText(random.pick(offers), random, words);
      const parsed = parseSdp(text);
      if (parsed.ok) {
        read += 1;
        const written = writeSdp(parsed.value);
        const again = parseSdp(written);
        assert.ok(again.ok, `seed ${random.seed}, round ${round}: ${JSON.stringify(again)}`);
        assert.equal(writeSdp(again.value), written, `seed ${random.seed}, round ${round}`);
      }
      const negotiated = negotiate(text, {
        decide: round % 2 === 0 ? publisherDecides(7) : subscriberDecides("slot"),
        newIceCredentials: () => ({ ufrag: "localufrag", password: "localpasswordlocalpassword" }),
        random,
        fingerprint: new Uint8Array(32),
        candidates: [{ ip: "192.0.2.1", udpPort: 3478, tcpPort: 3478 }],
        sdpSessionId: "1",
      });
      if (!negotiated.ok) continue;
      answered += 1;
      const answer = parseSdp(negotiated.value.answerSdp);
      assert.ok(answer.ok, `seed ${random.seed}, round ${round}: our answer cannot be read`);
    }
    // A mutator that breaks everything would test the first check only.
    assert.ok(read > round / 10 && answered > round / 20, `read ${read}, answered ${answered} of ${round}`);
  });
});

describe("fuzz: trickle fragments", () => {
  it("any text is a value or an error, and what is read is written the same", () => {
    const seeds = [
      "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n",
      "a=group:BUNDLE 0 1\r\nm=audio 9 RTP/SAVPF 0\r\na=mid:0\r\na=candidate:2 1 tcp 1518283007 192.0.2.1 9 typ host tcptype active generation 0\r\n",
    ];
    const random = new SeededRandom(fuzzSeed(2));
    const goesOn = fuzzBudget(5000);
    let read = 0;
    for (let round = 0; goesOn(round); round += 1) {
      const parsed = parseTrickleFragment(mutateText(random.pick(seeds), random, words));
      if (!parsed.ok) continue;
      read += 1;
      const written = writeTrickleFragment(parsed.value);
      const again = parseTrickleFragment(written);
      assert.ok(again.ok, `seed ${random.seed}, round ${round}`);
      assert.equal(writeTrickleFragment(again.value), written, `seed ${random.seed}, round ${round}`);
    }
    assert.ok(read > 100);
  });
});
