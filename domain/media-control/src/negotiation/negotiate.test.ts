import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Codec, HeaderExtension, MediaKind } from "@parley/protocol";
import { SeededRandom } from "@parley/testing";
import type { MediaSection, SessionDescription } from "../sdp/description.ts";
import { parseSdp } from "../sdp/parse.ts";
import { writeSdp } from "../sdp/write.ts";
import { negotiate, restartedIce } from "./negotiate.ts";
import type { Negotiated, NegotiationErrorCode, NegotiationOptions } from "./negotiation.ts";
import { publisherDecides, subscriberDecides } from "./policies.ts";

const folder = join(import.meta.dirname, "../../fixtures");
const read = (name: string): string => readFileSync(join(folder, `${name}.sdp`), "utf8");

let minted = 0;

function optionsWith(more: Partial<NegotiationOptions> = {}): NegotiationOptions {
  return {
    decide: publisherDecides(77),
    newIceCredentials: () => {
      minted += 1;
      return { ufrag: `minted${minted}`, password: "localpasswordlocalpasswordlocal1" };
    },
    random: new SeededRandom(1),
    fingerprint: new Uint8Array(32).fill(0xab),
    candidates: [
      { ip: "192.0.2.1", udpPort: 3478, tcpPort: 3479 },
      { ip: "2001:db8::1", udpPort: 3478, tcpPort: 0 },
    ],
    sdpSessionId: "4611686018427387904",
    ...more,
  };
}

const watching = (more: Partial<NegotiationOptions> = {}): NegotiationOptions =>
  optionsWith({ decide: subscriberDecides("slot"), ...more });

function answered(offer: string, options: NegotiationOptions): Negotiated {
  const result = negotiate(offer, options);
  assert.ok(result.ok, JSON.stringify(!result.ok && result.error));
  return result.value;
}

function errorOf(offer: string, options = optionsWith()): NegotiationErrorCode | undefined {
  const result = negotiate(offer, options);
  return result.ok ? undefined : result.error.code;
}

function parsed(text: string): SessionDescription {
  const result = parseSdp(text);
  assert.ok(result.ok);
  return result.value;
}

/** The fixture with its sections changed. */
function changed(name: string, change: (section: MediaSection, index: number) => Partial<MediaSection>): string {
  const offer = parsed(read(name));
  return writeSdp({
    ...offer,
    media: offer.media.map((section, index) => ({ ...section, ...change(section, index) })),
  });
}

/** What every answer must hold against its offer (RFC 8829 5.3.1, RFC 8843 7.3). */
function checkAnswer(offerText: string, { answerSdp, grant }: Negotiated): void {
  const offer = parsed(offerText);
  const answer = parsed(answerSdp);
  assert.equal(answer.media.length, offer.media.length);
  assert.equal(answer.iceLite, true);
  const bundled = answer.groups.find(({ semantics }) => semantics === "BUNDLE")?.mids ?? [];
  for (const [index, section] of answer.media.entries()) {
    const offered = offer.media[index]!;
    assert.equal(section.mid, offered.mid);
    assert.equal(section.kind, offered.kind);
    assert.equal(section.protocol, offered.protocol);
    if (section.port === 0) {
      assert.ok(!bundled.includes(section.mid ?? ""));
      continue;
    }
    assert.ok(bundled.includes(section.mid ?? ""));
    assert.ok(section.rtcpMux);
    assert.equal(section.transport.setup, "passive");
    assert.equal(section.transport.iceUfrag, grant.ice.localUfrag);
    for (const format of section.formats)
      assert.ok(offered.formats.includes(format), `format ${format} was not offered`);
    for (const { payloadType, encodingName } of section.rtpmaps) {
      const original = offered.rtpmaps.find((each) => each.payloadType === payloadType);
      assert.equal(encodingName.toLowerCase(), original?.encodingName.toLowerCase());
    }
    for (const { id, uri } of section.extmaps) {
      assert.ok(offered.extmaps.some((each) => each.id === id && each.uri === uri));
    }
    for (const { payloadType, value } of section.feedbacks) {
      assert.notEqual(value, "goog-remb");
      assert.ok(
        offered.feedbacks.some(
          (each) => (each.payloadType === payloadType || each.payloadType === "*") && each.value === value,
        ),
      );
    }
    const from = offered.direction ?? offer.direction ?? "sendrecv";
    const allowed = {
      sendonly: ["recvonly"],
      recvonly: ["sendonly"],
      inactive: [],
      sendrecv: ["recvonly", "sendonly"],
    };
    assert.ok(["inactive", "sendrecv", ...allowed[from]].includes(section.direction ?? ""));
  }
  const tag = answer.media.find(({ mid }) => mid === bundled[0]);
  assert.ok((tag?.candidates.length ?? 0) > 0 && tag?.endOfCandidates, "candidates stand in the tagged section");
}

const names = readdirSync(folder)
  .filter((name) => name.endsWith(".sdp"))
  .map((name) => name.slice(0, -4));

describe("offers that publish", () => {
  for (const name of names.filter((each) => each.includes("publish") || each.includes("sendrecv"))) {
    it(`${name}: is received as one stream`, () => {
      const result = answered(read(name), optionsWith());
      checkAnswer(read(name), result);
      const offer = parsed(read(name));
      assert.equal(result.grant.receives.length, offer.media.length);
      for (const [index, receive] of result.grant.receives.entries()) {
        assert.equal(receive.mid, offer.media[index]?.mid);
        assert.equal(receive.streamId, 77);
        assert.ok(receive.payloadTypes.length > 0);
      }
      assert.deepEqual(result.grant.slots, []);
      const dtls = result.grant.dtls;
      assert.equal(dtls.localActive, false);
      assert.ok(dtls.remoteFingerprints.some(({ algorithm, value }) => algorithm === "sha-256" && value.length === 32));
      assert.ok(result.answer.media.every(({ direction }) => direction === "recvonly"));
    });
  }

  it("chromium: among the H264 formats, Constrained Baseline comes first, as every decoder takes it; the rest keeps its place", () => {
    const { answer } = answered(read("chromium-publish"), optionsWith());
    const offer = parsed(read("chromium-publish"));
    const formatsOf = (description: SessionDescription, name: string): string[] => {
      const video = description.media.find(({ kind }) => kind === "video");
      const named = video?.rtpmaps.filter(({ encodingName }) => encodingName === name) ?? [];
      return video?.formats.filter((format) => named.some(({ payloadType }) => payloadType === Number(format))) ?? [];
    };
    assert.deepEqual(formatsOf(offer, "H264").slice(0, 3), ["102", "104", "108"]);
    assert.deepEqual(formatsOf(answer, "H264").slice(0, 4), ["108", "114", "102", "104"]);
    assert.deepEqual(formatsOf(answer, "VP9"), formatsOf(offer, "VP9").slice(0, formatsOf(answer, "VP9").length));
  });

  it("chromium: codecs, retransmissions, feedback, extensions and SSRCs are what it offered", () => {
    const { grant } = answered(read("chromium-publish"), optionsWith());
    const vp8 = grant.codecs.find(({ codec }) => codec === Codec.VP8);
    assert.deepEqual(vp8, {
      payloadType: 96,
      codec: Codec.VP8,
      clockRateHz: 90000,
      channels: 1,
      fmtp: "",
      rtxPayloadType: 97,
      nack: true,
      pli: true,
      fir: true,
      transportCc: true,
    });
    const codecs = new Set(grant.codecs.map(({ codec }) => codec));
    assert.deepEqual(codecs, new Set([Codec.OPUS, Codec.RED, Codec.VP8, Codec.H264, Codec.AV1, Codec.VP9]));
    assert.ok(grant.extensions.some(({ extension }) => extension === HeaderExtension.MID));
    assert.ok(!grant.extensions.some(({ extension }) => extension === HeaderExtension.RID), "no simulcast, no RID");
    const video = grant.receives[1];
    assert.equal(video?.kind, MediaKind.VIDEO);
    assert.equal(video.encodings.length, 1);
    assert.notEqual(video.encodings[0]?.ssrc, 0);
    assert.notEqual(video.encodings[0]?.rtxSsrc, 0);
  });

  it("gstreamer: repair of audio keeps its own form, OPUS in capitals is Opus", () => {
    const { answer, grant } = answered(read("gstreamer-publish"), optionsWith());
    const opus = grant.codecs.find(({ codec }) => codec === Codec.OPUS);
    assert.equal(opus?.rtxPayloadType, 99);
    const rtx = answer.media[1]?.rtpmaps.find(({ payloadType }) => payloadType === 99);
    assert.deepEqual([rtx?.clockRateHz, rtx?.channels], [48000, 1]);
  });

  it("one encoding only by default; layers by a=rid when they are wanted", () => {
    for (const name of ["chromium-publish-simulcast", "firefox-publish-simulcast"]) {
      const one = answered(read(name), optionsWith());
      assert.ok(!one.answerSdp.includes("a=simulcast") && !one.answerSdp.includes("a=rid"), name);
      const layers = answered(read(name), optionsWith({ codecs: { maxSimulcastLayers: 2 } }));
      const video = layers.answer.media[1];
      assert.deepEqual(
        video?.simulcast?.recv.map(([first]) => first?.rid),
        ["q", "h"],
      );
      assert.deepEqual(
        layers.grant.receives[1]?.encodings.map(({ rid }) => rid),
        ["q", "h"],
      );
      assert.ok(layers.grant.extensions.some(({ extension }) => extension === HeaderExtension.RID));
    }
  });

  it("preferred codecs come first, others keep the client's order", () => {
    const { answer } = answered(read("chromium-publish"), optionsWith({ codecs: { preferred: [Codec.AV1] } }));
    const names = answer.media[1]?.rtpmaps.map(({ encodingName }) => encodingName) ?? [];
    assert.deepEqual(names.slice(0, 4), ["AV1", "rtx", "VP8", "rtx"]);
  });

  it("Opus: parameters are kept, stereo is asked of who has it", () => {
    const fmtpOf = (offer: string, codecs: NegotiationOptions["codecs"] = {}): string | undefined =>
      answered(offer, optionsWith({ codecs })).answer.media[0]?.fmtps.find(({ payloadType }) => payloadType === 111)
        ?.parameters;
    assert.equal(fmtpOf(read("chromium-publish")), "minptime=10;useinbandfec=1");
    assert.equal(fmtpOf(read("chromium-publish"), { opusDtx: true }), "minptime=10;useinbandfec=1;usedtx=1");
    const stereo = read("chromium-publish").replace("useinbandfec=1", "useinbandfec=1;sprop-stereo=1;usedtx=1");
    assert.equal(fmtpOf(stereo), "minptime=10;useinbandfec=1;sprop-stereo=1;usedtx=1;stereo=1");
  });
});

describe("offers that watch", () => {
  for (const name of names.filter((each) => each.includes("watch") || each.includes("sendrecv"))) {
    it(`${name}: has slots in pairs`, () => {
      const result = answered(read(name), watching());
      checkAnswer(read(name), result);
      const media = parsed(read(name)).media.filter(({ kind }) => kind !== "application");
      assert.equal(result.grant.slots.length, media.length);
      assert.deepEqual(result.grant.receives, []);
      const ssrcs = result.grant.slots.flatMap(({ ssrc, rtxSsrc }) => (rtxSsrc === 0 ? [ssrc] : [ssrc, rtxSsrc]));
      assert.equal(new Set(ssrcs).size, ssrcs.length);
      assert.ok(!ssrcs.includes(0));
      const streams = result.answer.media.filter(({ port }) => port !== 0).map(({ msids }) => msids[0]?.stream);
      for (const stream of streams) {
        const expected = media.length === 1 ? 1 : 2;
        assert.equal(
          streams.filter((each) => each === stream).length,
          expected,
          "an audio and a video slot share a stream",
        );
      }
    });
  }

  it("slots say their SSRCs, and a=msid; data channels are rejected", () => {
    const { answer, grant, sections } = answered(read("chromium-watch-slots"), watching());
    const video = answer.media[1];
    const slot = grant.slots[1];
    assert.deepEqual(video?.ssrcGroups, [{ semantics: "FID", ssrcs: [slot?.ssrc, slot?.rtxSsrc] }]);
    assert.deepEqual(video.msids, [{ stream: "slot0", track: "slot0-video" }]);
    assert.equal(answer.media.at(-1)?.port, 0);
    assert.equal(sections.at(-1)?.rejected, true);
  });

  it("a stream's codecs narrow the answer, unless nothing would be left", () => {
    const publisher = answered(read("gstreamer-publish-h264"), optionsWith());
    const narrow = watching({ decide: subscriberDecides("slot", () => publisher.grant.codecs) });
    const { answer, grant } = answered(read("chromium-watch"), narrow);
    const names = new Set(answer.media[1]?.rtpmaps.map(({ encodingName }) => encodingName));
    assert.deepEqual(names, new Set(["H264", "rtx"]));
    assert.ok(grant.slots[0]!.payloadTypes.length > 0, "a publisher without audio does not forbid audio");
  });
});

describe("transport", () => {
  it("candidates: UDP before TCP, the first address before the second, passive TCP", () => {
    const { answer } = answered(read("chromium-publish"), optionsWith());
    const candidates = answer.media[0]?.candidates ?? [];
    assert.deepEqual(
      candidates.map(({ transport, address, port, tcpType }) => [transport, address, port, tcpType]),
      [
        ["udp", "192.0.2.1", 3478, undefined],
        ["udp", "2001:db8::1", 3478, undefined],
        ["tcp", "192.0.2.1", 3479, "passive"],
      ],
    );
    const priorities = candidates.map(({ priority }) => priority);
    assert.deepEqual(
      priorities,
      priorities.toSorted((a, b) => b - a),
    );
    assert.equal(priorities[0], 2130706431);
    assert.deepEqual(answer.media[1]?.candidates, []);
  });

  it("a passive client is answered active; the choice is ours when it leaves it", () => {
    const passive = changed("chromium-publish", ({ transport }) => ({ transport: { ...transport, setup: "passive" } }));
    const result = answered(passive, optionsWith());
    assert.equal(result.grant.dtls.localActive, true);
    assert.equal(result.answer.media[0]?.transport.setup, "active");
    assert.equal(answered(read("chromium-publish"), optionsWith({ dtlsRole: "active" })).grant.dtls.localActive, true);
  });

  it("ICE and DTLS may stand at session level only", () => {
    const offer = parsed(read("chromium-publish"));
    const [first] = offer.media;
    const none = { iceUfrag: undefined, icePassword: undefined, iceOptions: [], fingerprints: [], setup: undefined };
    const text = writeSdp({
      ...offer,
      transport: first!.transport,
      media: offer.media.map((section) => ({ ...section, transport: none })),
    });
    assert.equal(answered(text, optionsWith()).grant.ice.remoteUfrag, first!.transport.iceUfrag);
  });

  it("one section without BUNDLE is enough, and needs no mid", () => {
    const offer = parsed(read("gstreamer-publish-h264"));
    const text = writeSdp({
      ...offer,
      groups: [],
      media: offer.media.map((section) => ({ ...section, mid: undefined })),
    });
    const { grant, answer } = answered(text, optionsWith());
    assert.equal(grant.receives[0]?.mid, "0");
    assert.deepEqual(answer.groups, []);
  });
});

describe("refusals", () => {
  const chromium = "chromium-publish";
  const refused: readonly (readonly [string, string, NegotiationErrorCode])[] = [
    ["no SDP", "hello", "sdp"],
    ["no media", read(chromium).slice(0, read(chromium).indexOf("m=audio")), "no-media"],
    ["no BUNDLE", writeSdp({ ...parsed(read(chromium)), groups: [] }), "bundle-required"],
    ["an ICE-lite client", writeSdp({ ...parsed(read(chromium)), iceLite: true }), "ice-lite-peer"],
    ["no rtcp-mux", changed(chromium, () => ({ rtcpMux: false })), "rtcp-mux-required"],
    ["the same mid twice", changed(chromium, () => ({ mid: "0" })), "duplicate-mid"],
    ["no mid", changed(chromium, () => ({ mid: undefined })), "mid-missing"],
    [
      "no ICE",
      changed(chromium, ({ transport }) => ({ transport: { ...transport, iceUfrag: undefined } })),
      "ice-missing",
    ],
    [
      "SHA-1 only",
      changed(chromium, ({ transport }) => ({
        transport: { ...transport, fingerprints: [{ algorithm: "sha-1", value: new Uint8Array(20) }] },
      })),
      "fingerprint-missing",
    ],
    [
      "a fingerprint of the wrong length",
      changed(chromium, ({ transport }) => ({
        transport: { ...transport, fingerprints: [{ algorithm: "sha-256", value: new Uint8Array(20) }] },
      })),
      "fingerprint-missing",
    ],
    [
      "holdconn",
      changed(chromium, ({ transport }) => ({ transport: { ...transport, setup: "holdconn" } })),
      "setup-invalid",
    ],
    ["nothing of ours", changed(chromium, () => ({ protocol: "RTP/AVP" })), "nothing-acceptable"],
    ["only PCMU", changed(chromium, () => ({ rtpmaps: [], formats: ["0"] })), "no-common-codec"],
    ["stopped sections only", changed(chromium, () => ({ port: 0 })), "nothing-acceptable"],
  ];
  for (const [what, offer, code] of refused) {
    it(`${what}: ${code}`, () => assert.equal(errorOf(offer), code));
  }

  it("a payload type that means two things; of an extension id the first meaning stays", () => {
    const offer = changed("chromium-watch-slots", (section, index) =>
      index === 3
        ? {
            rtpmaps: section.rtpmaps.map((each) => (each.payloadType === 96 ? { ...each, encodingName: "VP9" } : each)),
          }
        : {},
    );
    assert.equal(errorOf(offer, watching()), "payload-type-conflict");
    const extensions = changed("chromium-watch-slots", (section, index) =>
      index === 3
        ? {
            extmaps: section.extmaps.map((each) => ({
              ...each,
              id: each.uri.endsWith("sdes:mid") ? 3 : each.uri.includes("transport-wide") ? 4 : each.id,
            })),
          }
        : {},
    );
    const { grant, answer } = answered(extensions, watching());
    const ids = grant.extensions.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(new Set(grant.extensions.map(({ extension }) => extension)).size, ids.length);
    const urisOf = (index: number): string[] => answer.media[index]?.extmaps.map(({ uri }) => uri) ?? [];
    assert.ok(urisOf(1).some((uri) => uri.endsWith("sdes:mid")));
    assert.ok(!urisOf(3).some((uri) => uri.endsWith("sdes:mid")));
  });

  it("sections that `decide` does not want are rejected, an unbundled one too", () => {
    const { answer } = answered(
      read("chromium-publish"),
      optionsWith({
        decide: ({ kind }) => (kind === MediaKind.AUDIO ? { receive: { streamId: 1 } } : { reject: true }),
      }),
    );
    assert.deepEqual(
      answer.media.map(({ port }) => port),
      [9, 0],
    );
    assert.deepEqual(answer.groups[0]?.mids, ["0"]);
    const offer = parsed(read("chromium-publish"));
    const unbundled = writeSdp({ ...offer, groups: [{ semantics: "BUNDLE", mids: ["1"] }] });
    const other = answered(unbundled, optionsWith());
    assert.deepEqual(
      other.answer.media.map(({ port }) => port),
      [0, 9],
    );
    assert.equal(other.answer.media[1]?.candidates.length, 3, "the first accepted section carries the candidates");
  });
});

describe("renegotiation", () => {
  /** The re-offer of a client that asks for more slots. */
  function grown(): { before: Negotiated; offer: string } {
    const before = answered(read("chromium-watch"), watching());
    const offer = parsed(read("chromium-watch"));
    const more = offer.media.map((section, index) => ({ ...section, mid: String(index + 2) }));
    const groups = [{ semantics: "BUNDLE", mids: ["0", "1", "2", "3"] }];
    return { before, offer: writeSdp({ ...offer, groups, media: [...offer.media, ...more] }) };
  }

  it("more slots: mids, SSRCs, bindings and credentials stay", () => {
    const { before, offer } = grown();
    const binding = { publisherSessionId: "p", publisherMid: "1", streamId: 9 };
    const bound = { ...before.grant, slots: before.grant.slots.map((slot) => ({ ...slot, binding })) };
    const after = answered(offer, watching({ previous: { ...before, grant: bound }, random: new SeededRandom(1) }));
    assert.equal(after.iceRestart, false);
    assert.deepEqual(after.grant.ice, before.grant.ice);
    assert.deepEqual(after.grant.slots.slice(0, 2), bound.slots);
    assert.equal(after.grant.slots.length, 4);
    const ssrcs = after.grant.slots.map(({ ssrc }) => ssrc);
    assert.equal(new Set(ssrcs).size, 4, "the same seed draws no SSRC twice");
    assert.deepEqual(
      after.answer.media.slice(2).map(({ msids }) => msids[0]?.stream),
      ["slot1", "slot1"],
    );
    assert.equal(after.answer.origin.sessionId, before.answer.origin.sessionId);
    assert.equal(after.answer.origin.sessionVersion, "2");
  });

  it("ICE restart: fresh local credentials, the old ones as previous, the rest stays", () => {
    const before = answered(read("chromium-publish"), optionsWith());
    const offer = changed("chromium-publish", ({ transport }) => ({
      transport: { ...transport, iceUfrag: "newu", icePassword: "newpasswordnewpasswordne" },
    }));
    const after = answered(offer, optionsWith({ previous: before }));
    assert.equal(after.iceRestart, true);
    const { ice } = after.grant;
    assert.notEqual(ice.localUfrag, before.grant.ice.localUfrag);
    assert.equal(ice.previousLocalUfrag, before.grant.ice.localUfrag);
    assert.equal(ice.previousLocalPassword, before.grant.ice.localPassword);
    assert.equal(ice.previousRemoteUfrag, before.grant.ice.remoteUfrag);
    assert.equal(ice.remoteUfrag, "newu");
    assert.deepEqual(after.grant.receives, before.grant.receives);
    const again = answered(offer, optionsWith({ previous: after }));
    assert.deepEqual(again.grant.ice, ice, "the same offer again is no restart");
  });

  it("a restart without an offer makes the same ICE part", () => {
    const { ice } = answered(read("chromium-publish"), optionsWith()).grant;
    const next = restartedIce(ice, { ufrag: "newu", password: "np" }, { ufrag: "local2", password: "lp2" });
    assert.equal(next.previousLocalUfrag, ice.localUfrag);
    assert.equal(next.localUfrag, "local2");
    assert.equal(next.remotePassword, "np");
  });

  it("a slot that pauses and comes back is the same slot", () => {
    const before = answered(read("chromium-watch"), watching());
    const paused = changed("chromium-watch", (_, index) => (index === 1 ? { direction: "inactive" } : {}));
    const during = answered(paused, watching({ previous: before }));
    assert.equal(during.grant.slots.length, 1);
    assert.equal(during.answer.media[1]?.direction, "inactive");
    const after = answered(read("chromium-watch"), watching({ previous: during, random: new SeededRandom(99) }));
    assert.deepEqual(after.grant.slots, before.grant.slots);
  });

  it("a publisher that pauses keeps the pause by command and its stream", () => {
    const before = answered(read("chromium-publish"), optionsWith());
    const muted = { ...before.grant, receives: before.grant.receives.map((each) => ({ ...each, paused: true })) };
    const after = answered(
      read("chromium-publish"),
      optionsWith({ previous: { ...before, grant: muted }, decide: () => ({}) }),
    );
    assert.ok(after.grant.receives.every(({ paused, streamId }) => paused && streamId === 77));
  });

  it("a stopped section is rejected and its place may be taken by another", () => {
    const before = answered(read("chromium-watch"), watching());
    const stopped = changed("chromium-watch", (_, index) => (index === 1 ? { port: 0 } : {}));
    const offer = parsed(stopped);
    const during = answered(
      writeSdp({ ...offer, groups: [{ semantics: "BUNDLE", mids: ["0"] }] }),
      watching({ previous: before }),
    );
    assert.deepEqual(
      during.sections.map(({ rejected }) => rejected),
      [false, true],
    );
    const recycled = parsed(changed("chromium-watch", (_, index) => (index === 1 ? { mid: "9" } : {})));
    const after = answered(
      writeSdp({ ...recycled, groups: [{ semantics: "BUNDLE", mids: ["0", "9"] }] }),
      watching({ previous: during }),
    );
    assert.equal(after.grant.slots[1]?.mid, "9");
  });

  it("sections that vanish or change places, and another certificate, are refused", () => {
    const before = answered(read("chromium-watch"), watching());
    const offer = parsed(read("chromium-watch"));
    const fewer = writeSdp({ ...offer, media: offer.media.slice(0, 1) });
    const swapped = writeSdp({ ...offer, media: offer.media.toReversed() });
    assert.equal(errorOf(fewer, watching({ previous: before })), "section-mismatch");
    assert.equal(errorOf(swapped, watching({ previous: before })), "section-mismatch");
    const other = changed("chromium-watch", ({ transport }) => ({
      transport: { ...transport, fingerprints: [{ algorithm: "sha-256", value: new Uint8Array(32) }] },
    }));
    assert.equal(errorOf(other, watching({ previous: before })), "fingerprint-changed");
  });
});
