import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, describeDeviceFailure, describeFailure } from "../src/failures.ts";
import { inviteLink, readLink, roomInToken, tidyName } from "../src/link.ts";
import { appendChat, linkPieces, readChat, tidyChat } from "../src/meeting/chat.ts";
import { defaultSettings, parseSettings } from "../src/settings.ts";

test("links: what they say is read, what is odd about names is smoothed", () => {
  assert.deepEqual(readLink("#room=team%20one&name=Ann&host=1"), {
    room: "team one",
    name: "Ann",
    token: undefined,
    host: true,
  });
  assert.deepEqual(readLink("#room=a%00b&token=x.y.z"), { room: "a b", name: "", token: "x.y.z", host: false });
  assert.deepEqual(readLink(""), { room: "", name: "", token: undefined, host: false });
  assert.equal(tidyName(`  ${"x".repeat(40)} `).length, 32);
});

test("an invitation has the room, and nothing of ours", () => {
  const link = inviteLink("https://meet.example/demo/#room=a&token=secret&name=Ann&host=1", "a b");
  assert.equal(link, "https://meet.example/demo/#room=a+b");
  assert.equal(readLink(new URL(link).hash).room, "a b");
});

test("the room of a token is read, whatever the token is", () => {
  const tokenOf = (claims: unknown): string => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
  assert.equal(roomInToken(tokenOf({ room: "große Runde" })), "große Runde");
  for (const odd of ["", "a.b", "a.!.c", tokenOf(null), tokenOf({ room: 7 }), tokenOf([])]) {
    assert.equal(roomInToken(odd), undefined);
  }
});

test("chat: text in, text out; what is no text is none", () => {
  assert.equal(readChat(new TextEncoder().encode(" hi\r\nthere\u0007 ")), "hi\nthere");
  assert.equal(readChat(Uint8Array.of(0xff, 0xfe)), undefined);
  assert.equal(readChat(new Uint8Array(0)), undefined);
  assert.equal(readChat(new TextEncoder().encode("x".repeat(2001))), undefined);
  assert.equal(tidyChat("\n \t"), "");
});

test("chat keeps the newest 500 messages", () => {
  const message = { from: "a", isOwn: false, text: "t", atUnixMs: 0, failed: false };
  let messages = appendChat([], { ...message, key: 0 });
  for (let key = 1; key < 600; key += 1) messages = appendChat(messages, { ...message, key });
  assert.equal(messages.length, 500);
  assert.equal(messages.at(-1)?.key, 599);
});

test("only http and https become links, and the text stays whole", () => {
  const text =
    'see https://example.org/a?b=1, javascript:alert(1) and (http://x.example/y). <a href="https://z.example">';
  const pieces = linkPieces(text);
  assert.equal(pieces.map((piece) => piece.text).join(""), text);
  assert.deepEqual(
    pieces.flatMap(({ href }) => href ?? []),
    ["https://example.org/a?b=1", "http://x.example/y", "https://z.example"],
  );
});

test("stored settings: what is valid stays, the rest is as if never set", () => {
  assert.deepEqual(parseSettings(null), defaultSettings);
  assert.deepEqual(parseSettings("{"), defaultSettings);
  assert.deepEqual(parseSettings("7"), defaultSettings);
  assert.deepEqual(
    parseSettings('{"name":"Ann","theme":"pink","quality":"low","shortcuts":"no","__proto__":{"x":1},"toString":"y"}'),
    { ...defaultSettings, name: "Ann", quality: "low" },
  );
});

test("every failure has words, those without their own too", () => {
  for (const code of ["token-expired", "toString", "", "something-new"]) {
    const { title, text } = describeFailure(code);
    assert.ok(title.length > 5 && text.length > 5);
  }
  assert.equal(describeFailure("room-locked").title, "The room is locked");
  for (const source of ["camera", "microphone", "screen"] as const) {
    for (const code of [
      "device-permission-denied",
      "device-not-found",
      "device-in-use",
      "device-failed",
      "insecure-context",
    ]) {
      assert.ok(describeDeviceFailure(code, source).title.length > 5);
    }
  }
});

test("the code of an error: what a token function threw comes before what the SDK makes of it", () => {
  const inner = Object.assign(new Error("x"), { code: "no-invitation" });
  const outer = Object.assign(new Error("y", { cause: inner }), { code: "connect-failed" });
  assert.equal(codeOf(outer), "no-invitation");
  assert.equal(
    codeOf(Object.assign(new Error("y", { cause: new Error("z") }), { code: "connect-failed" })),
    "connect-failed",
  );
  for (const odd of [undefined, null, 7, "x", new Error("x"), { code: 7 }]) assert.equal(codeOf(odd), "unknown");
});
