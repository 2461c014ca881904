import assert from "node:assert/strict";
import { test } from "node:test";
import { Role, Source } from "@parley/protocol";
import { authorize, roomGrantsOf, type Action } from "./authorize.ts";
import type { TokenClaims } from "./claims.ts";
import { mintToken } from "./mint-token.ts";
import { TokenVerifier, type VerifiedToken } from "./token-verifier.ts";

const secret = "a secret of thirty-two characters";
const by = new TokenVerifier({ apps: [{ id: "app", key: "key", secret }] });

function tokenWith(claims: Partial<TokenClaims>): VerifiedToken {
  const result = by.verify(
    mintToken({ iss: "key", sub: "alice", exp: 2_000_000_000, ...claims }, secret),
    1_800_000_000_000,
  );
  assert(result.ok);
  return result.value;
}

function outcome(claims: Partial<TokenClaims>, action: Action): string {
  const result = authorize(tokenWith(claims), action);
  return result.ok ? "allowed" : result.error.name;
}

const publish: Action = { type: "publish", room: "r", sources: ["camera", "microphone"] };

test("[SIG-5] publishing needs the grant, the room and every source", () => {
  assert.equal(outcome({}, publish), "grant-missing");
  assert.equal(outcome({ subscribe: true }, publish), "grant-missing");
  assert.equal(outcome({ publish: true }, publish), "allowed");
  assert.equal(outcome({ publish: true, room: "r" }, publish), "allowed");
  assert.equal(outcome({ publish: true, room: "R" }, publish), "wrong-room");
  assert.equal(outcome({ publish: true, sources: ["microphone"] }, publish), "grant-missing");
  assert.equal(outcome({ publish: true, sources: ["microphone", "camera"] }, publish), "allowed");
  assert.equal(outcome({ publish: true, sources: [] }, publish), "grant-missing");
});

test("[SIG-6] the other actions need their own grants", () => {
  assert.equal(outcome({ publish: true }, { type: "subscribe", room: "r" }), "grant-missing");
  assert.equal(outcome({ subscribe: true }, { type: "subscribe", room: "r" }), "allowed");
  assert.equal(outcome({ publish: true }, { type: "moderate", room: "r" }), "grant-missing");
  assert.equal(outcome({ roomAdmin: true }, { type: "moderate", room: "r" }), "allowed");
  assert.equal(outcome({ role: "host" }, { type: "moderate", room: "r" }), "allowed");
  assert.equal(outcome({ publish: true }, { type: "publish-data", room: "r" }), "allowed");
  assert.equal(outcome({ publish: true, canPublishData: false }, { type: "publish-data", room: "r" }), "grant-missing");
});

test("[SIG-6] rooms get the grants as they go over the bus", () => {
  const grants = roomGrantsOf(tokenWith({ room: "r", publish: true, sources: ["screen"], roomAdmin: true, jti: "t" }));
  assert.equal(grants.roomId, "r");
  assert.equal(grants.role, Role.HOST);
  assert.equal(grants.tokenId, "t");
  assert.equal(grants.expiresAtUnixMs, 2_000_000_000_000n);
  assert.deepEqual(grants.permissions?.publishSources, [Source.SCREEN]);
  assert.equal(grants.permissions?.moderate, true);
  assert.equal(grants.permissions?.subscribe, false);
});

test("[SIG-6] a token that allows no source does not turn into one that allows all", () => {
  const { permissions } = roomGrantsOf(tokenWith({ publish: true, sources: [] }));
  assert.equal(permissions?.publish, false);
});
