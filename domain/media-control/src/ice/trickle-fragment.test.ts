import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTrickleFragment, writeTrickleFragment } from "./trickle-fragment.ts";

describe("trickle fragments", () => {
  it("of WHIP (RFC 9725 4.3.2) are read and written", () => {
    const text = [
      "a=group:BUNDLE 0 1",
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "a=mid:0",
      "a=ice-ufrag:EsAw",
      "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
      "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 network-id 1",
      "a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ srflx raddr 192.0.2.1 rport 61764",
      "a=end-of-candidates",
      "",
    ].join("\r\n");
    const result = parseTrickleFragment(text);
    assert.ok(result.ok);
    const section = result.value.sections[0];
    assert.equal(section?.mid, "0");
    assert.equal(section.iceUfrag, "EsAw");
    assert.equal(section.candidates.length, 2);
    assert.equal(section.candidates[1]?.relatedPort, 61764);
    assert.equal(section.endOfCandidates, true);
    assert.equal(writeTrickleFragment(result.value), text);
  });

  it("may have the credentials at session level, and end there", () => {
    const result = parseTrickleFragment("a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\na=end-of-candidates\n");
    assert.ok(result.ok);
    assert.equal(result.value.iceUfrag, "EsAw");
    assert.equal(result.value.endOfCandidates, true);
  });

  it("mDNS names and unknown attributes are no errors, unreadable candidates are left out", () => {
    const result = parseTrickleFragment(
      "m=audio 9 RTP/SAVPF 0\r\na=mid:0\r\na=x-new:1\r\na=candidate:1 1 udp 1 f0.local 5000 typ host\r\na=candidate:junk\r\n",
    );
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.sections[0]?.candidates.map(({ address }) => address),
      ["f0.local"],
    );
  });

  it("wrong credentials, a wrong mid and a flood are errors", () => {
    const codeOf = (text: string): string => {
      const result = parseTrickleFragment(text);
      return result.ok ? "ok" : result.error.code;
    };
    assert.equal(codeOf("a=ice-ufrag:x\r\n"), "malformed-attribute");
    assert.equal(codeOf("a=ice-pwd:short\r\n"), "malformed-attribute");
    assert.equal(codeOf("a=mid:0\r\n"), "malformed-attribute");
    assert.equal(codeOf("a=x\r\n".repeat(2000)), "too-many-lines");
    assert.equal(codeOf("m=audio 9 X 0\r\n".repeat(300)), "too-many-sections");
    assert.equal(codeOf("nonsense\r\n"), "malformed-line");
  });
});
