import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SdpErrorCode } from "./description.ts";
import { DEFAULT_SDP_LIMITS, parseSdp } from "./parse.ts";

const head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

function errorOf(text: string): { code: SdpErrorCode; line: number } | undefined {
  const result = parseSdp(text);
  return result.ok ? undefined : { code: result.error.code, line: result.error.line };
}

describe("parseSdp", () => {
  it("takes LF alone, and no line end at the end", () => {
    assert.equal(errorOf(`${head}${audio}a=mid:0`.replaceAll("\r\n", "\n")), undefined);
  });

  it("refuses an SDP of 10,000 lines by number, without reading them all", () => {
    const text = head + audio + "a=x\r\n".repeat(10_000);
    assert.deepEqual(errorOf(text), { code: "too-many-lines", line: DEFAULT_SDP_LIMITS.maxLines + 1 });
  });

  it("refuses what is too large, a line that is too long, and too many sections", () => {
    assert.equal(errorOf(head + `a=${"x".repeat(DEFAULT_SDP_LIMITS.maxBytes)}`)?.code, "too-large");
    assert.equal(errorOf(head + `a=${"x".repeat(DEFAULT_SDP_LIMITS.maxLineLength)}`)?.code, "line-too-long");
    assert.equal(errorOf(head + audio.repeat(DEFAULT_SDP_LIMITS.maxSections + 1))?.code, "too-many-sections");
  });

  const wrong: readonly (readonly [string, string, SdpErrorCode])[] = [
    ["nothing", "", "malformed-session"],
    ["no version", "o=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "malformed-session"],
    ["another version", head.replace("v=0", "v=1"), "malformed-session"],
    ["no time", head.replace("t=0 0\r\n", ""), "malformed-session"],
    ["a wrong origin", head.replace("o=- 1 2", "o=- x 2"), "malformed-session"],
    ["a line that is none", `${head}hello\r\n`, "malformed-line"],
    ["a control character", `${head}a=x\u0000y\r\n`, "malformed-line"],
    ["a carriage return inside", `${head}a=x\ry\r\n`, "malformed-line"],
    ["a port that is none", `${head}m=audio 99999 UDP/TLS/RTP/SAVPF 111\r\n`, "malformed-attribute"],
    ["the same format twice", `${head}m=audio 9 UDP/TLS/RTP/SAVPF 111 111\r\n`, "malformed-attribute"],
    ["no format", `${head}m=audio 9 UDP/TLS/RTP/SAVPF\r\n`, "malformed-attribute"],
    ["two mids", `${head}${audio}a=mid:0\r\na=mid:1\r\n`, "malformed-attribute"],
    ["a mid with a space", `${head}${audio}a=mid:a b\r\n`, "malformed-attribute"],
    ["a long mid", `${head}${audio}a=mid:${"m".repeat(33)}\r\n`, "malformed-attribute"],
    ["a payload type over 127", `${head}${audio}a=rtpmap:128 opus/48000/2\r\n`, "malformed-attribute"],
    ["a clock rate of 0", `${head}${audio}a=rtpmap:111 opus/0\r\n`, "malformed-attribute"],
    ["extension id 0", `${head}${audio}a=extmap:0 urn:x\r\n`, "malformed-attribute"],
    ["an SSRC over 32 bits", `${head}${audio}a=ssrc:4294967296 cname:x\r\n`, "malformed-attribute"],
    ["a short ice-ufrag", `${head}a=ice-ufrag:abc\r\n`, "malformed-attribute"],
    ["a short ice-pwd", `${head}a=ice-pwd:short\r\n`, "malformed-attribute"],
    ["a fingerprint that is no hex", `${head}a=fingerprint:sha-256 XY\r\n`, "malformed-attribute"],
    ["a setup that is none", `${head}a=setup:maybe\r\n`, "malformed-attribute"],
  ];
  for (const [what, text, code] of wrong) {
    it(`refuses ${what}`, () => assert.equal(errorOf(text)?.code, code));
  }

  it("tells the line", () => {
    assert.deepEqual(errorOf(`${head}${audio}a=mid:0\r\na=extmap:x urn:y\r\n`), {
      code: "malformed-attribute",
      line: 7,
    });
  });

  it("keeps what it does not know, names of Object's members too", () => {
    const result = parseSdp(
      `${head}${audio}a=constructor:1\r\na=__proto__:2\r\na=toString\r\na=candidate:nonsense\r\n`,
    );
    assert.ok(result.ok);
    assert.deepEqual(result.value.media[0]?.otherAttributes, [
      { name: "constructor", value: "1" },
      { name: "__proto__", value: "2" },
      { name: "toString", value: undefined },
      { name: "candidate", value: "nonsense" },
    ]);
  });

  it("reads what is written in unusual but legal ways", () => {
    const result = parseSdp(
      `${head}${audio}a=simulcast:send 1;~2,3 recv 4\r\na=extmap:3/sendonly urn:x with parameters\r\na=rtcp-fb:*  nack   pli\r\n`,
    );
    assert.ok(result.ok);
    const section = result.value.media[0];
    assert.deepEqual(section?.simulcast, {
      send: [
        [{ rid: "1", paused: false }],
        [
          { rid: "2", paused: true },
          { rid: "3", paused: false },
        ],
      ],
      recv: [[{ rid: "4", paused: false }]],
    });
    assert.deepEqual(section?.extmaps, [{ id: 3, direction: "sendonly", uri: "urn:x", parameters: "with parameters" }]);
    assert.deepEqual(section?.feedbacks, [{ payloadType: "*", value: "nack pli" }]);
  });
});
