import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startParley } from "@parley/testing";

const main = fileURLToPath(new URL("../../apps/parley/src/main.ts", import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
function parley(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { env: { ...process.env, ...env }, timeout: 30_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

test("[QOS-5] one command starts everything; SIGTERM ends it with 0 within its deadline", async () => {
  const server = await startParley();
  try {
    assert(server.lines().some((line) => line === `Parley 0.1.0 is ready: ${server.url}/`));
    const page = await fetch(`${server.url}/`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
    assert.equal((await fetch(`${server.url}/healthz/live`)).status, 200);
    assert.equal((await fetch(`${server.url}/healthz/ready`)).status, 200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /^parley_/m);
    assert.match(metrics, /^process_cpu_user_seconds_total /m);
    assert.equal((await fetch(`${server.url}/nothing`)).status, 404);
  } finally {
    const stoppingAtMs = performance.now();
    assert.equal(await server.stop(), 0, server.lines().join("\n"));
    assert(performance.now() - stoppingAtMs < 3_000, "an idle server ends at once");
  }
});

test("[QOS-5] a second start takes under 3 s", async () => {
  const server = await startParley();
  try {
    await server.kill9();
    const startingAtMs = performance.now();
    await server.restart();
    assert(performance.now() - startingAtMs < 3_000);
  } finally {
    await server.stop();
  }
});

test("[QOS-5] upgrades that are not for the gateway are refused, and the server lives on", async () => {
  const server = await startParley();
  try {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/elsewhere`);
    await new Promise((resolve) => socket.addEventListener("error", resolve));
    assert.equal((await fetch(`${server.url}/healthz/live`)).status, 200);
  } finally {
    await server.stop();
  }
});

test("[QOS-5] a port that is taken is an error that says so", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  try {
    const address = taken.address();
    assert(typeof address === "object" && address !== null);
    const ports = ["--media.udpPort", "0", "--media.tcpPort", "0"];
    const outcome = await parley(["serve", "--dev", "--http.port", String(address.port), ...ports]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.stdout, new RegExp(`cannot listen on .* port ${address.port}: it is in use .*http\\.port`));
  } finally {
    taken.close();
  }
});

test("[QOS-5] a wrong configuration starts nothing and tells every problem with its place", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-config-"));
  try {
    const file = join(folder, "parley.yaml");
    writeFileSync(file, "http:\n  prot: 1\nlog: { level: loud }\n");
    const checked = await parley(["config", "check", file]);
    assert.equal(checked.code, 2);
    assert.match(checked.stderr, /parley\.yaml:2:3: unknown key http\.prot; did you mean port\?/);
    assert.match(checked.stderr, /parley\.yaml:3:15: log\.level must be one of/);
    const served = await parley(["serve", "--config", file]);
    assert.equal(served.code, 2);
    assert.equal(served.stderr, checked.stderr);
    writeFileSync(file, 'apps: [{ key: k, secret: "0123456789abcdef0123456789abcdef" }]\n');
    assert.deepEqual(await parley(["config", "check", file]), {
      code: 0,
      stdout: "The configuration is valid.\n",
      stderr: "",
    });
    const fromEnvironment = await parley(["config", "check"], { PARLEY_CONFIG: file, PARLEY_HTTP_PORT: "x" });
    assert.match(fromEnvironment.stderr, /PARLEY_HTTP_PORT: http\.port must be a whole number/);
    assert.match((await parley(["config", "check", join(folder, "none.yaml")])).stderr, /cannot read .*none\.yaml/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("[SIG-7] the command line tells its version, its help, and what it does not know", async () => {
  assert.deepEqual(await parley(["version"]), { code: 0, stdout: "0.1.0\n", stderr: "" });
  assert.match((await parley(["--help"])).stdout, /parley serve .*\n/);
  const unknown = await parley(["srve"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /unknown command srve/);
  assert.match((await parley(["serve", "--dev", "--http.prot", "1"])).stderr, /did you mean --http\.port\?/);
});

test("[SIG-5][SIG-7] parley token signs with the app of a configuration", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-token-"));
  try {
    const file = join(folder, "parley.yaml");
    writeFileSync(file, 'apps: [{ key: school, secret: "0123456789abcdef0123456789abcdef" }]\n');
    const made = await parley(["token", "--config", file, "--user", "alice", "--room", "maths", "--publish"]);
    assert.equal(made.code, 0, made.stderr);
    const payload: unknown = JSON.parse(Buffer.from(made.stdout.split(".")[1] ?? "", "base64url").toString());
    assert(typeof payload === "object" && payload !== null && "iss" in payload && "room" in payload);
    assert.equal(payload.iss, "school");
    assert.equal(payload.room, "maths");
    assert.match(
      (await parley(["token", "--config", file, "--app", "nobody", "--user", "a"])).stderr,
      /no app has the key nobody/,
    );
    assert.match((await parley(["token", "--key", "k", "--user", "a"])).stderr, /needed together/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
