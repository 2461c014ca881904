import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { toBase64url } from "@parley/foundation";
import { SignJWT } from "jose";
import type { TokenClaims } from "./claims.ts";
import { mintToken } from "./mint-token.ts";
import { TokenVerifier, type App } from "./token-verifier.ts";

const nowUnixMs = 1_800_000_000_000;
const nowSeconds = nowUnixMs / 1000;
const app: App = { id: "school", key: "key-a", secret: "a secret of thirty-two characters" };
const other: App = { id: "shop", key: "key-b", secret: "another secret of some characters" };
const claims: TokenClaims = { iss: app.key, sub: "alice", exp: nowSeconds + 60, iat: nowSeconds, jti: "t1" };

function verifier(): TokenVerifier {
  return new TokenVerifier({ apps: [app, other] });
}

function refusal(token: string, atUnixMs = nowUnixMs, by = verifier()): string {
  const result = by.verify(token, atUnixMs);
  return result.ok ? "accepted" : result.error.name;
}

const encode = (value: unknown): string => toBase64url(new TextEncoder().encode(JSON.stringify(value)));

function signed(header: unknown, payload: unknown, secret = app.secret): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("[SIG-5] a minted token is accepted, with what it grants", () => {
  const token = mintToken(
    {
      ...claims,
      room: "maths",
      publish: true,
      subscribe: true,
      sources: ["camera", "microphone"],
      name: "Alice",
      attributes: { class: "4b" },
    },
    app.secret,
  );
  const result = verifier().verify(token, nowUnixMs);
  assert(result.ok);
  assert.equal(result.value.appId, "school");
  assert.equal(result.value.subject, "alice");
  assert.equal(result.value.expiresAtUnixMs, nowUnixMs + 60_000);
  assert.deepEqual(result.value.grants, {
    room: "maths",
    publish: true,
    subscribe: true,
    sources: new Set(["camera", "microphone"]),
    publishData: true,
    moderate: false,
    createRoom: true,
    appAdmin: false,
    role: "speaker",
    hidden: false,
    name: "Alice",
    attributes: new Map([["class", "4b"]]),
  });
});

test("[SIG-5] a token that another library made is accepted", async () => {
  const token = await new SignJWT({ publish: true })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(app.key)
    .setSubject("alice")
    .setExpirationTime(nowSeconds + 60)
    .sign(new TextEncoder().encode(app.secret));
  assert.equal(refusal(token), "accepted");
});

test("[SIG-5] a bare token grants nothing", () => {
  const result = verifier().verify(mintToken(claims, app.secret), nowUnixMs);
  assert(result.ok);
  const { publish, subscribe, publishData, moderate, role } = result.value.grants;
  assert.deepEqual([publish, subscribe, publishData, moderate, role], [false, false, false, false, "viewer"]);
});

test("[SIG-5] each refusal has its own number", () => {
  const good = mintToken(claims, app.secret);
  const [header = "", payload = "", signature = ""] = good.split(".");
  assert.equal(refusal(""), "token-missing");
  assert.equal(refusal("x".repeat(4097)), "token-too-large");
  assert.equal(refusal("abc"), "token-malformed");
  assert.equal(refusal(`${header}.${payload}`), "token-malformed");
  assert.equal(refusal(`${good}.x`), "token-malformed");
  assert.equal(
    refusal(`${header}.${payload}.${signature.replace(/^./, (c) => (c === "A" ? "B" : "A"))}`),
    "token-bad-signature",
  );
  assert.equal(refusal(`${header}.${payload}.${signature.slice(0, 10)}`), "token-bad-signature");
  assert.equal(refusal(mintToken(claims, other.secret)), "token-bad-signature");
  assert.equal(refusal(mintToken({ ...claims, iss: other.key }, app.secret)), "token-bad-signature");
  assert.equal(refusal(mintToken({ ...claims, iss: "nobody" }, app.secret)), "token-unknown-app");
  assert.equal(refusal(mintToken({ ...claims, exp: nowSeconds }, app.secret)), "token-expired");
  assert.equal(refusal(mintToken({ ...claims, nbf: nowSeconds + 6 }, app.secret)), "token-not-yet-valid");
  assert.equal(refusal(mintToken({ ...claims, nbf: nowSeconds + 5 }, app.secret)), "accepted");
});

test("[SIG-5] the token does not choose the algorithm", () => {
  assert.equal(refusal(`${encode({ alg: "none" })}.${encode(claims)}.`), "token-malformed");
  for (const header of [
    { alg: "none" },
    { alg: "HS512" },
    { alg: "hs256" },
    {},
    null,
    [],
    { alg: "HS256", crit: ["x"] },
  ]) {
    assert.equal(refusal(signed(header, claims)), "token-malformed", JSON.stringify(header));
  }
  assert.equal(refusal(signed({ alg: "HS256" }, claims)), "accepted");
});

test("[SIG-5] claims of the wrong type are refused, never guessed at", () => {
  const wrong: Record<string, unknown>[] = [
    { sub: undefined },
    { sub: "" },
    { sub: 7 },
    { sub: "a\u0000b" },
    { exp: undefined },
    { exp: "tomorrow" },
    { exp: nowUnixMs },
    { exp: -1 },
    { nbf: null },
    { publish: "yes" },
    { publish: 1 },
    { sources: "camera" },
    { sources: ["telescope"] },
    { role: "king" },
    { attributes: { a: 1 } },
    { attributes: [] },
    { room: "" },
    { room: "x".repeat(129) },
  ];
  for (const change of wrong) {
    assert.equal(
      refusal(signed({ alg: "HS256" }, { ...claims, ...change })),
      "token-malformed",
      JSON.stringify(change),
    );
  }
});

test("[SIG-5] a grant cannot be inherited from the payload's prototype", () => {
  const text = `${encode({ alg: "HS256" })}.${toBase64url(
    new TextEncoder().encode(`{"__proto__":{"publish":true},"iss":"key-a","sub":"alice","exp":${nowSeconds + 9}}`),
  )}`;
  const token = `${text}.${createHmac("sha256", app.secret).update(text).digest("base64url")}`;
  const result = verifier().verify(token, nowUnixMs);
  assert(result.ok);
  assert.equal(result.value.grants.publish, false);
});

test("[SIG-5] a cached token still expires, and leaves the cache", () => {
  const cached = verifier();
  const token = mintToken(claims, app.secret);
  assert.equal(refusal(token, nowUnixMs, cached), "accepted");
  assert.equal(cached.cachedCount, 1);
  assert.equal(refusal(token, nowUnixMs + 59_999, cached), "accepted");
  assert.equal(refusal(token, nowUnixMs + 60_000, cached), "token-expired");
  assert.equal(cached.cachedCount, 0);
});

test("[SIG-5] the cache is bounded and holds good tokens only", () => {
  const small = new TokenVerifier({ apps: [app], maxCached: 3 });
  for (let count = 0; count < 10; count += 1) {
    const token = mintToken({ ...claims, sub: `user-${count}` }, app.secret);
    assert.equal(refusal(token, nowUnixMs, small), "accepted");
    assert.equal(refusal(`${token}A`, nowUnixMs, small), "token-bad-signature");
  }
  assert.equal(small.cachedCount, 3);
});

test("[SIG-5] a revoked token is refused at once, also when cached; others are not", () => {
  const by = verifier();
  const token = mintToken(claims, app.secret);
  const sibling = mintToken({ ...claims, jti: "t2" }, app.secret);
  const verified = by.verify(token, nowUnixMs);
  assert(verified.ok);
  const revocation = { type: "token", appId: app.id, tokenId: "t1" } as const;
  by.revoke({ revocation, keepUntilUnixMs: nowUnixMs + 60_000 }, nowUnixMs);
  assert.equal(refusal(token, nowUnixMs, by), "token-revoked");
  assert.equal(by.isRevoked(verified.value), true);
  assert.equal(refusal(sibling, nowUnixMs, by), "accepted");
});

test("[SIG-5] revoking a user's tokens leaves those issued later, and the same name in another app", () => {
  const by = verifier();
  const revocation = { type: "subject", appId: app.id, subject: "alice", issuedUntilUnixMs: nowUnixMs } as const;
  by.revoke({ revocation, keepUntilUnixMs: Infinity }, nowUnixMs);
  const at = (iat: number | undefined): string => {
    const { iat: _, ...rest } = claims;
    return refusal(mintToken(iat === undefined ? rest : { ...rest, iat }, app.secret), nowUnixMs, by);
  };
  assert.equal(at(nowSeconds), "token-revoked");
  assert.equal(at(undefined), "token-revoked");
  assert.equal(at(nowSeconds + 1), "accepted");
  assert.equal(refusal(mintToken({ ...claims, iss: other.key }, other.secret), nowUnixMs, by), "accepted");
});

test("[SIG-5] an app with two keys is one app", () => {
  const by = new TokenVerifier({ apps: [app, { ...other, id: app.id }] });
  const result = by.verify(mintToken({ ...claims, iss: other.key }, other.secret), nowUnixMs);
  assert(result.ok);
  assert.equal(result.value.appId, app.id);
});
