import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DEFAULT_SDP_LIMITS } from "@parley/domain-media-control";
import type { Random } from "@parley/foundation";
import { NodeAnnouncementSchema, SessionGrantSchema } from "@parley/protocol";
import { NodeTable } from "./node-table.ts";
import { MediaNegotiator } from "./session-negotiator.ts";

const offerSdp = readFileSync(
  new URL("../../../domain/media-control/fixtures/chromium-watch.sdp", import.meta.url),
  "utf8",
);

let drawn = 0;
const random: Random = {
  bytes: (length) => new Uint8Array(length).fill(++drawn & 0xff),
  uint32: () => ++drawn,
};

function negotiator(maxBytes: number): MediaNegotiator {
  const nodes = new NodeTable();
  nodes.announced(
    create(NodeAnnouncementSchema, {
      nodeId: "node",
      bootId: 1n,
      addresses: [{ ip: "127.0.0.1", udpPort: 1, tcpPort: 0 }],
      dtlsFingerprint: new Uint8Array(32),
    }),
  );
  return new MediaNegotiator({
    nodes,
    random,
    ufragKey: new Uint8Array(16),
    sdpLimits: { ...DEFAULT_SDP_LIMITS, maxBytes },
  });
}

const request = {
  sessionId: "session",
  offerSdp,
  sections: new Map([["0", { type: "receive", msid: "p", trackId: "t" } as const]]),
  localIp: "",
  preferredNodes: new Set<string>(),
};

test("an offer larger than the limit is refused by its number, whichever way it came", () => {
  const refused = negotiator(offerSdp.length - 1).open(request);
  assert.equal(refused.ok ? "" : refused.error.name, "payload-too-large");
  assert.ok(negotiator(offerSdp.length).open(request).ok);
});

test("what is kept of a negotiation is enough for the next", () => {
  const one = negotiator(DEFAULT_SDP_LIMITS.maxBytes);
  const first = one.open(request);
  assert.ok(first.ok);
  const { memory, parts, nodeId, answerSdp } = first.value;
  assert.ok(memory.length < 500, `${memory.length} bytes`);
  const grant = create(SessionGrantSchema, { ...parts });
  const again = one.update({ ...request, nodeId, memory, grant });
  assert.ok(again.ok);
  // The same but for the version of o=, which counts on (RFC 8829 5.3.2): SSRCs and credentials stay.
  assert.equal(again.value.answerSdp, answerSdp.replace(/^(o=- \d+) 1 /m, "$1 2 "));
  const other = one.update({ ...request, nodeId, memory: new TextEncoder().encode("{}"), grant });
  assert.equal(other.ok ? "" : other.error.name, "session-not-found");
});
