import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseSdp } from "./parse.ts";
import { writeSdp } from "./write.ts";

const folder = join(import.meta.dirname, "../../fixtures");

/** Recorded text with the accidents of writing taken away: spaces, letter case where it has no meaning, trailing spaces. */
function attributesOf(sdp: string): string[] {
  return (
    sdp
      .split(/\r?\n/)
      .filter((line) => line.startsWith("a="))
      .map((line) => line.trim().replace(/: +/, ":").replace(/ +/g, " "))
      .map((line) => (line.startsWith("a=candidate:") ? line.toLowerCase() : line))
      // One channel is what no number means (RFC 8866 6.6).
      .map((line) => (line.startsWith("a=rtpmap:") ? line.replace(/\/1$/, "") : line))
      .sort()
  );
}

describe("recorded offers", () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sdp"));

  it("there are offers of every stack", () => {
    const stacks = new Set(names.map((name) => name.split("-")[0]));
    const wanted = ["aiortc", "chromium", "firefox", "gstreamer", "libdatachannel", "safari", "wrtc"];
    assert.deepEqual([...stacks].sort(), wanted);
  });

  for (const name of names) {
    const text = readFileSync(join(folder, name), "utf8");

    it(`${name}: is read and written without loss`, () => {
      const first = parseSdp(text);
      assert.ok(first.ok, JSON.stringify(!first.ok && first.error));
      const written = writeSdp(first.value);
      const second = parseSdp(written);
      assert.ok(second.ok);
      assert.deepEqual(second.value, first.value);
      assert.deepEqual(attributesOf(written), attributesOf(text));
      assert.equal(writeSdp(second.value), written);
    });
  }
});
