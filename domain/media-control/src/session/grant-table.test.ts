import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SessionState } from "@parley/protocol";
import type { Grant } from "../negotiation/grant-parts.ts";
import { DEFAULT_GRANT_TABLE_OPTIONS, GrantTable } from "./grant-table.ts";

function grantOf(sessionId: string, revision: bigint, more: Partial<Grant> = {}): Grant {
  return {
    appId: "app",
    roomId: "room",
    sessionId,
    revision,
    nodeBootId: 1n,
    ice: {
      localUfrag: `${sessionId}-${revision}`,
      localPassword: "password",
      remoteUfrag: "remo",
      remotePassword: "remote",
      previousLocalUfrag: "",
      previousLocalPassword: "",
      previousRemoteUfrag: "",
    },
    dtls: { remoteFingerprints: [], localActive: false },
    codecs: [],
    extensions: [],
    receives: [],
    slots: [],
    closed: false,
    ownerState: new Uint8Array(0),
    ...more,
  };
}

describe("grant table", () => {
  it("finds sessions by the ufrags of their newest grant, the previous one included", () => {
    const table = new GrantTable(1n);
    table.accept(grantOf("s", 1n), 0);
    assert.equal(table.sessionOfUfrag("s-1"), "s");
    const next = grantOf("s", 2n);
    assert.ok(next.ice);
    table.accept({ ...next, ice: { ...next.ice, previousLocalUfrag: "s-1" } }, 0);
    assert.equal(table.sessionOfUfrag("s-1"), "s");
    assert.equal(table.sessionOfUfrag("s-2"), "s");
    table.accept(grantOf("s", 3n), 0);
    assert.equal(table.sessionOfUfrag("s-1"), undefined);
    assert.equal(table.sessionOfUfrag(""), undefined);
    table.accept(grantOf("s", 4n, { closed: true }), 0);
    assert.equal(table.sessionOfUfrag("s-3"), undefined);
    assert.equal(table.size, 0);
  });

  it("remembers a closed session for a minute, with the highest revision it heard of", () => {
    const table = new GrantTable(1n);
    table.accept(grantOf("s", 1n), 0);
    table.accept(grantOf("s", 5n, { closed: true }), 0);
    const late = table.accept(grantOf("s", 4n), 30_000);
    assert.deepEqual(late, { type: "refuse", state: SessionState.CLOSED, reason: "session-closed", revision: 5n });
    table.sweep(59_999);
    assert.equal(table.accept(grantOf("s", 4n), 59_999).type, "refuse");
    table.sweep(60_000);
    assert.equal(table.accept(grantOf("s", 6n), 60_000).type, "open");
  });

  it("confirms what is here, says what is lacking, and opens nothing by that", () => {
    const table = new GrantTable(1n);
    const confirm = (revision: bigint, nowMs = 0) => table.confirm(grantOf("s", revision), nowMs);
    assert.deepEqual(confirm(1n), { type: "lacking", revision: 0n });
    assert.equal(table.size, 0);
    table.accept(grantOf("s", 2n), 0);
    assert.equal(confirm(1n).type, "stale");
    assert.deepEqual(confirm(3n), { type: "lacking", revision: 2n });
    assert.equal(confirm(2n, 20_000).type, "stands");
    assert.deepEqual(table.sweep(DEFAULT_GRANT_TABLE_OPTIONS.forgottenAfterMs), []);
    assert.equal(table.sessionOfUfrag("s-2"), "s");
    assert.equal(table.confirm({ ...grantOf("s", 2n), roomId: "another" }, 0).type, "malformed");
    assert.equal(table.confirm({ ...grantOf("s", 2n), nodeBootId: 2n }, 0).type, "refuse");
    table.accept(grantOf("s", 4n, { closed: true }), 20_000);
    const closed = { type: "refuse", state: SessionState.CLOSED, reason: "session-closed", revision: 5n };
    assert.deepEqual(confirm(5n, 20_000), closed);
  });

  it("forgets what nobody repeats, and only that", () => {
    const table = new GrantTable(1n);
    table.accept(grantOf("quiet", 1n), 0);
    table.accept(grantOf("repeated", 1n), 0);
    assert.equal(table.accept(grantOf("repeated", 1n), 20_000).type, "repeat");
    assert.deepEqual(table.sweep(DEFAULT_GRANT_TABLE_OPTIONS.forgottenAfterMs), ["quiet"]);
    assert.equal(table.size, 1);
    assert.equal(table.sessionOfUfrag("quiet-1"), undefined);
  });

  it("an older revision of a living session still proves that somebody wants it", () => {
    const table = new GrantTable(1n);
    table.accept(grantOf("s", 5n), 0);
    assert.equal(table.accept(grantOf("s", 4n), 30_000).type, "stale");
    assert.deepEqual(table.sweep(40_000), []);
  });

  it("a grant without a boot id is for whoever hears it", () => {
    const table = new GrantTable(7n);
    assert.equal(table.accept(grantOf("s", 1n, { nodeBootId: 0n }), 0).type, "open");
    assert.equal(table.accept(grantOf("t", 1n, { nodeBootId: 6n }), 0).type, "refuse");
  });
});
