import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Codec } from "@parley/protocol";
import { canForward, matchPayloadTypes } from "./codec-match.ts";
import type { CodecGrant } from "./grant-parts.ts";
import { h264Profile } from "./h264-profile.ts";

function codecOf(payloadType: number, codec: Codec, fmtp = ""): CodecGrant {
  const isAudio = codec === Codec.OPUS || codec === Codec.RED;
  return {
    payloadType,
    codec,
    clockRateHz: isAudio ? 48000 : 90000,
    channels: isAudio ? 2 : 1,
    fmtp,
    rtxPayloadType: 0,
    nack: true,
    pli: true,
    fir: true,
    transportCc: true,
  };
}

const h264 = (payloadType: number, profile: string, mode = 1): CodecGrant =>
  codecOf(payloadType, Codec.H264, `packetization-mode=${mode};profile-level-id=${profile}`);

describe("H264 profiles (RFC 6184 table 5)", () => {
  const profiles: readonly (readonly [string | undefined, string])[] = [
    ["42e01f", "constrained-baseline"],
    ["42C02A", "constrained-baseline"],
    ["4de01f", "constrained-baseline"],
    ["42001f", "baseline"],
    ["4d001f", "main"],
    ["64001f", "high"],
    ["640c1f", "constrained-high"],
    ["f4001f", "high-444"],
    [undefined, "baseline"],
    ["zz", "unknown"],
    ["110000", "unknown"],
  ];
  for (const [id, profile] of profiles) it(`${id} is ${profile}`, () => assert.equal(h264Profile(id), profile));
});

describe("canForward", () => {
  it("takes the same codec whatever its payload type and level", () => {
    assert.ok(canForward(codecOf(96, Codec.VP8), codecOf(120, Codec.VP8, "max-fs=12288;max-fr=60")));
    assert.ok(canForward(h264(1, "42e01f"), h264(2, "42e034")));
    assert.ok(canForward(codecOf(1, Codec.OPUS, "minptime=10"), codecOf(2, Codec.OPUS, "stereo=1")));
    assert.equal(canForward(codecOf(96, Codec.VP8), codecOf(96, Codec.VP9)), false);
  });

  it("H264: a lower profile goes to a higher one, not the reverse; constrained ones count as their like", () => {
    assert.ok(canForward(h264(1, "42e01f"), h264(2, "42001f")));
    assert.ok(canForward(h264(1, "42e01f"), h264(2, "64001f")));
    assert.ok(canForward(h264(1, "4d001f"), h264(2, "64001f")));
    assert.equal(canForward(h264(1, "64001f"), h264(2, "42e01f")), false);
    assert.ok(canForward(h264(1, "42001f"), h264(2, "42e01f")));
    assert.ok(canForward(h264(1, "64001f"), h264(2, "640c1f")));
    assert.equal(canForward(h264(1, "f4001f"), h264(2, "64001f")), false);
    assert.equal(canForward(h264(1, "64001f"), h264(2, "4d001f")), false);
  });

  it("H264: single NAL units go to a receiver of mode 1, not the reverse", () => {
    assert.ok(canForward(h264(1, "42e01f", 0), h264(2, "42e01f", 1)));
    assert.equal(canForward(h264(1, "42e01f", 1), h264(2, "42e01f", 0)), false);
  });

  it("absent parameters mean their defaults", () => {
    assert.ok(canForward(codecOf(1, Codec.VP9), codecOf(2, Codec.VP9, "profile-id=0")));
    assert.equal(canForward(codecOf(1, Codec.VP9), codecOf(2, Codec.VP9, "profile-id=2")), false);
    assert.ok(canForward(codecOf(1, Codec.H265), codecOf(2, Codec.H265, "profile-id=1;tier-flag=0;tx-mode=SRST")));
    assert.ok(canForward(codecOf(1, Codec.AV1), codecOf(2, Codec.AV1, "level-idx=5;profile=0;tier=0")));
  });
});

describe("matchPayloadTypes", () => {
  it("maps each codec to the same format, or to one that takes it", () => {
    const publisher = [codecOf(96, Codec.VP8), h264(102, "42e01f"), codecOf(45, Codec.AV1)];
    const viewer = [h264(1, "64001f"), h264(2, "42e01f"), codecOf(3, Codec.VP8)];
    assert.deepEqual(matchPayloadTypes(publisher, viewer), [
      { from: 96, to: 3 },
      { from: 102, to: 2 },
    ]);
    assert.deepEqual(matchPayloadTypes([h264(102, "42e01f")], [h264(1, "64001f")]), [{ from: 102, to: 1 }]);
  });

  it("is empty when the viewer can show nothing of it", () => {
    assert.deepEqual(matchPayloadTypes([codecOf(45, Codec.AV1)], [codecOf(3, Codec.VP8)]), []);
  });

  it("tells lists apart that differ in a payload type or a parameter only, however many there were before", () => {
    for (let round = 0; round < 3; round++) {
      for (let payloadType = 35; payloadType < 127; payloadType++) {
        const publisher = [h264(payloadType, "42e01f")];
        for (let mode = 0; mode < 12; mode++) {
          const viewer = [h264(payloadType + 1, "42e01f", mode)];
          const expected = mode === 1 ? [{ from: payloadType, to: payloadType + 1 }] : [];
          assert.deepEqual(matchPayloadTypes(publisher, viewer), expected);
        }
      }
    }
  });
});
