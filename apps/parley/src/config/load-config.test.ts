import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed, mutateText, SeededRandom } from "@parley/testing";
import { parse } from "yaml";
import { devApp, environmentName, loadConfig, type ConfigSources } from "./load-config.ts";
import { schema, type Config } from "./schema.ts";
import { defaultsOf, settingsOf } from "./settings.ts";

const sample = readFileSync(new URL("../../config.sample.yaml", import.meta.url), "utf8");
const secret = "0123456789abcdef0123456789abcdef";
const someApp = `apps: [{ key: k, secret: "${secret}" }]\n`;
const nothing: ConfigSources = { environment: {}, flags: [], dev: false };

function load(yaml: string, more: Partial<ConfigSources> = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ ...nothing, file: { name: "p.yaml", text: yaml }, ...more });
}

function loaded(yaml: string, more: Partial<ConfigSources> = {}): Config {
  const config = load(yaml, more);
  assert(config.ok, config.ok ? "" : JSON.stringify(config.error));
  return config.value;
}

/** The problems as lines. */
function problems(yaml: string, more: Partial<ConfigSources> = {}): string[] {
  const config = load(yaml, more);
  return config.ok ? [] : config.error.map(({ where, text }) => `${where}: ${text}`);
}

test("[QOS-5] the sample file has every setting with its default, and nothing else", () => {
  assert.deepEqual(parse(sample), defaultsOf(schema));
});

test("[QOS-5] every setting in the sample file has a comment before it or before its section", () => {
  const lines = sample.split("\n");
  let commented = false;
  for (const [index, line] of lines.entries()) {
    if (/^\s*#/.test(line)) commented = true;
    else if (line === "") commented = false;
    // Neighbours such as certFile and keyFile share one comment.
    else assert(commented, `line ${index + 1}: ${line}`);
  }
});

test("[QOS-5] the sample file with an app is a valid configuration", () => {
  const config = loaded(sample.replace("apps: []", someApp));
  assert.equal(config.http.port, 7880);
  assert.deepEqual(config.apps, [{ id: "k", key: "k", secret }]);
});

test("[QOS-5] an unknown key is an error that names the nearest known one, with its place", () => {
  assert.deepEqual(problems(`${someApp}htpp:\n  port: 1\n`), ["p.yaml:2:1: unknown key htpp; did you mean http?"]);
  assert.deepEqual(problems(`${someApp}http:\n  prot: 1\n`), ["p.yaml:3:3: unknown key http.prot; did you mean port?"]);
  assert.deepEqual(problems(`${someApp}media: { udpport: 1 }\n`), [
    "p.yaml:2:10: unknown key media.udpport; did you mean udpPort?",
  ]);
  assert.match(
    problems(`${someApp}shutdown: { xyzzy: 1 }\n`)[0] ?? "",
    /unknown key shutdown.xyzzy; there are: deadlineMs/,
  );
  assert.match(
    problems('apps: [{ kye: k, secret: "s" }]')[0] ?? "",
    /^p.yaml:1:10: unknown key apps\[0\].kye; did you mean key\?/,
  );
});

test("[QOS-5] a value of the wrong kind is an error that says what it must be; all of them are told at once", () => {
  assert.deepEqual(problems(`${someApp}http:\n  port: many\n  host: 7\nlog: { level: loud }\nmedia: [1]\n`), [
    "p.yaml:3:9: http.port must be a whole number from 0 to 65535",
    "p.yaml:4:9: http.host must be text (put it in quotes)",
    "p.yaml:5:15: log.level must be one of debug, info, warn, error",
    "p.yaml:6:8: media must be a mapping",
  ]);
  assert.deepEqual(problems(`${someApp}media: { announce: [here] }`), [
    "p.yaml:2:20: media.announce must be a list, each item an IP address",
  ]);
});

test("[QOS-5] broken YAML and keys that are there twice are errors with their place", () => {
  assert.match(problems("http:\n  port: 1\n  port: 2\n")[0] ?? "", /^p.yaml:3:3: .*unique/);
  assert.match(problems("http: [1, 2\n")[0] ?? "", /^p.yaml:\d+:\d+: /);
  assert.match(problems("a: &a { b: *a }")[0] ?? "", /^p.yaml:/);
});

test("[QOS-5] the environment overrides the file, flags override both", () => {
  const yaml = `${someApp}http: { port: 1, host: "0.0.0.0" }\n`;
  const environment = { PARLEY_HTTP_PORT: "2", PARLEY_MEDIA_ANNOUNCE: "192.0.2.1, 2001:db8::1", PATH: "/bin" };
  const config = loaded(yaml, { environment, flags: [["http.port", "3"]] });
  assert.equal(config.http.port, 3);
  assert.equal(config.http.host, "0.0.0.0");
  assert.deepEqual(config.media.announce, ["192.0.2.1", "2001:db8::1"]);
  assert.equal(loaded(yaml, { environment }).http.port, 2);
});

test("[QOS-5] apps come from the environment too, secrets with colons included", () => {
  const config = loaded("", { environment: { PARLEY_APPS: `a:${secret},b:x:${secret}` } });
  assert.deepEqual(config.apps, [
    { id: "a", key: "a", secret },
    { id: "b", key: "b", secret: `x:${secret}` },
  ]);
});

test("[QOS-5] every setting has its variable and its flag", () => {
  assert.equal(environmentName(["http", "tls", "certFile"]), "PARLEY_HTTP_TLS_CERT_FILE");
  const names = [...settingsOf(schema)].map(({ path }) => environmentName(path));
  assert.equal(new Set(names).size, names.length);
  for (const { path } of settingsOf(schema)) {
    const told = problems(someApp, { flags: [[path.join("."), "?"]], environment: { [environmentName(path)]: "?" } });
    assert(!told.some((line) => line.includes("unknown")), path.join("."));
  }
});

test("[QOS-5] unknown variables and flags are errors; what Kubernetes sets is not", () => {
  assert.deepEqual(problems(someApp, { environment: { PARLEY_HTTP_PROT: "1" } }), [
    "PARLEY_HTTP_PROT: unknown variable; did you mean PARLEY_HTTP_PORT?",
  ]);
  assert.deepEqual(problems(someApp, { flags: [["http.prot", "1"]] }), [
    "--http.prot: unknown flag; did you mean --http.port?",
  ]);
  assert.deepEqual(
    problems(someApp, {
      environment: { PARLEY_PORT: "tcp://10.0.0.1:80", PARLEY_SERVICE_HOST: "10.0.0.1", PARLEY_PORT_80_TCP: "x" },
    }),
    [],
  );
  assert.deepEqual(problems(someApp, { environment: { PARLEY_HTTP_PORT: "x" } }), [
    "PARLEY_HTTP_PORT: http.port must be a whole number from 0 to 65535",
  ]);
});

test("[QOS-5] what no single setting shows to be wrong is found too", () => {
  assert.match(problems("")[0] ?? "", /^apps: no app is configured/);
  assert.match(
    problems("apps: [{ key: k, secret: short }]")[0] ?? "",
    /^apps\[0\]: secret must have at least 32 bytes/,
  );
  assert.match(problems(`apps: [{ secret: "${secret}" }]`)[0] ?? "", /^apps\[0\]: key is missing/);
  assert.match(problems(`${someApp}http: { tls: { certFile: a.pem } }`)[0] ?? "", /^http.tls: certFile and keyFile/);
  assert.match(problems(`${someApp}iceServers: [{ url: "http://a" }]`)[0] ?? "", /^iceServers\[0\]: url must begin/);
  assert.match(
    problems(`${someApp}iceServers: [{ url: "turn:a", username: u }]`)[0] ?? "",
    /^iceServers\[0\]: username and/,
  );
  assert.match(
    problems(`apps: [{ key: k, secret: "${secret}" }, { key: k, secret: "${secret}" }]`)[0] ?? "",
    /^apps\[1\]: the key k is there twice/,
  );
});

test("[QOS-5] development mode brings an app and a log for people, and the file still wins", () => {
  const dev = loadConfig({ ...nothing, dev: true });
  assert(dev.ok);
  assert.deepEqual(dev.value.apps, [devApp]);
  assert.equal(dev.value.log.format, "text");
  assert.equal(dev.value.http.host, "127.0.0.1");
  assert.deepEqual(
    loaded(someApp, { dev: true }).apps.map(({ key }) => key),
    ["k"],
  );
});

test("[QOS-5] empty sections set nothing", () => {
  assert.equal(loaded(`${someApp}http:\nmedia:\n  # nothing\n`).http.port, 7880);
});

test("[QOS-5] whatever the file holds, it is read or refused, never a crash", () => {
  const random = new SeededRandom(fuzzSeed(11));
  const goesOn = fuzzBudget(400);
  const words = [
    "&a",
    "*a",
    "!!binary",
    "? ",
    "<<: *a",
    "{",
    "[",
    "\t",
    "---\n",
    "null",
    "~",
    ".inf",
    "0x",
    "|\n",
    "- - -",
  ];
  for (let round = 0; goesOn(round); round += 1) {
    const mutant = mutateText(sample, random, words);
    const result = load(mutant);
    assert(result.ok || result.error.length > 0, `seed ${random.seed}, round ${round}`);
  }
});
