import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenVerifier } from "@parley/domain-access";
import { parseCommandLine, parseDurationMs } from "./command-line.ts";
import { makeToken } from "./token-command.ts";

test("[SIG-7] arguments are split into words and flags", () => {
  const line = parseCommandLine(["config", "check", "--a.b=c=d", "--x", "y", "--dev", "file"], new Set(["dev"]));
  assert.deepEqual(line, {
    ok: true,
    value: {
      words: ["config", "check", "file"],
      flags: [
        ["a.b", "c=d"],
        ["x", "y"],
        ["dev", "true"],
      ],
    },
  });
  assert.deepEqual(parseCommandLine(["--x"], new Set()), { ok: false, error: "--x needs a value" });
  assert.deepEqual(parseCommandLine(["--x", "--y"], new Set()), { ok: false, error: "--x needs a value" });
});

test("[SIG-7] a switch with a value is refused, whatever the value", () => {
  for (const argument of ["--publish=false", "--publish=true", "--publish="]) {
    const line = parseCommandLine([argument], new Set(["publish"]));
    assert.deepEqual(line, { ok: false, error: "--publish takes no value" }, argument);
  }
});

test("durations have a unit and are not nothing", () => {
  assert.equal(parseDurationMs("90s"), 90_000);
  assert.equal(parseDurationMs("15m"), 900_000);
  assert.equal(parseDurationMs("12h"), 43_200_000);
  assert.equal(parseDurationMs("30d"), 2_592_000_000);
  for (const wrong of ["", "5", "0s", "-1s", "1.5h", "1w", " 1s"])
    assert.equal(parseDurationMs(wrong), undefined, wrong);
});

const signer = { key: "k", secret: "0123456789abcdef0123456789abcdef" };
const options = { nowUnixMs: 1_800_000_000_000, freshId: "fresh" };

function made(...flags: [string, string][]): ReturnType<typeof makeToken> {
  return makeToken(flags, signer, options);
}

test("[SIG-5][SIG-7] the token command makes what the server accepts", () => {
  const token = made(
    ["user", "alice"],
    ["room", "maths"],
    ["publish", "true"],
    ["sources", "camera,microphone"],
    ["attribute", "class=4b"],
    ["attribute", "team=a=b"],
    ["ttl", "90s"],
    ["name", "Alice"],
  );
  assert(token.ok);
  const verified = new TokenVerifier({ apps: [{ id: "app", ...signer }] }).verify(token.value, options.nowUnixMs);
  assert(verified.ok);
  assert.equal(verified.value.tokenId, "fresh");
  assert.equal(verified.value.expiresAtUnixMs, options.nowUnixMs + 90_000);
  assert.equal(verified.value.grants.room, "maths");
  assert.equal(verified.value.grants.publish, true);
  assert.equal(verified.value.grants.subscribe, false);
  assert.deepEqual(verified.value.grants.sources, new Set(["camera", "microphone"]));
  assert.deepEqual(
    [...verified.value.grants.attributes],
    [
      ["class", "4b"],
      ["team", "a=b"],
    ],
  );
});

test("[SIG-7] the token command says which flag is wrong", () => {
  const error = (...flags: [string, string][]): string => {
    const result = made(...flags);
    return result.ok ? "accepted" : result.error;
  };
  assert.equal(error(), "--user is needed");
  assert.equal(error(["usr", "a"]), "unknown flag --usr; did you mean --user?");
  assert.match(error(["user", "a"], ["ttl", "soon"]), /^--ttl must be/);
  assert.equal(error(["user", ""]), "the value of --user is not valid");
  assert.equal(error(["user", "a"], ["sources", "camera,telescope"]), "the value of --sources is not valid");
  assert.equal(error(["user", "a"], ["role", "king"]), "the value of --role is not valid");
});
