import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseSdp } from "@parley/domain-media-control";
import { scanOffer } from "./offer.ts";

const recorded = new URL("../../../domain/media-control/fixtures/", import.meta.url);

test("a scan finds what a full reading finds", () => {
  const files = readdirSync(recorded).filter((name) => name.endsWith(".sdp"));
  assert.ok(files.length > 3);
  for (const file of files) {
    const sdp = readFileSync(new URL(file, recorded), "utf8");
    for (const text of [sdp, sdp.replaceAll("\r\n", "\n"), sdp.trimEnd()]) {
      const parsed = parseSdp(text);
      assert.ok(parsed.ok, file);
      const { media, direction, transport } = parsed.value;
      const expected = media.flatMap((section) => {
        const { mid, kind, port, bundleOnly } = section;
        if (mid === undefined || (kind !== "audio" && kind !== "video") || (port === 0 && !bundleOnly)) return [];
        const flow = section.direction ?? direction ?? "sendrecv";
        return [{ mid, kind, sends: flow.startsWith("send"), receives: flow === "sendrecv" || flow === "recvonly" }];
      });
      const ufrag = transport.iceUfrag ?? media.find((each) => each.transport.iceUfrag)?.transport.iceUfrag;
      assert.deepEqual(scanOffer(text), { iceUfrag: ufrag, sections: expected }, file);
    }
  }
});

test("a scan of anything ends, and finds nothing in what is no offer", () => {
  for (const text of ["", "\n", "\r\n", "m=", "a=mid:1", "a=sendonly", "no sdp", "m=video\r\na=mid:x"]) {
    const { sections } = scanOffer(text);
    assert.ok(sections.length === 0 || text.startsWith("m=video"), JSON.stringify(text));
  }
  const many = `v=0\r\n${"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n".repeat(10_000)}`;
  assert.equal(scanOffer(many).sections.length, 257);
});
