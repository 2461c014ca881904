import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { environment, hasProgram, run } from "./processes.mjs";
import { root } from "./repository.mjs";

const module = JSON.stringify(pathToFileURL(`${root}/tools/processes.mjs`).href);

/** Starts a wrapper that becomes `script`, and waits for its first output. */
async function wrapped(script) {
  const code = `import(${module}).then((p) => p.become(process.execPath, ["-e", ${JSON.stringify(script)}]))`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = await once(child.stdout, "data");
  return { child, output: String(output) };
}

test("[QOS-5] a signal to npm start reaches the server, and the server's exit code comes back", async () => {
  const script = 'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")';
  const { child } = await wrapped(script);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [7, null]);
});

test("[QOS-5] a server that is killed ends npm start with the signal's code", async () => {
  const { child, output } = await wrapped("setInterval(() => {}, 1000); console.log(process.pid)");
  process.kill(Number(output), "SIGKILL");
  assert.deepEqual(await once(child, "exit"), [137, null]);
});

test("the caller's npm configuration does not reach what is started", () => {
  process.env["npm_config_nodedir"] = "/nowhere";
  try {
    const env = environment({ EXTRA: "1" });
    assert.equal(env["npm_config_nodedir"], undefined);
    assert.equal(env["EXTRA"], "1");
    assert(env["PATH"]?.startsWith(`${root}/node_modules/.bin:`));
  } finally {
    delete process.env["npm_config_nodedir"];
  }
});

test("what is started keeps what Node compiles, unless the caller has a folder of their own", () => {
  const outside = process.env["NODE_COMPILE_CACHE"];
  try {
    delete process.env["NODE_COMPILE_CACHE"];
    assert.equal(environment()["NODE_COMPILE_CACHE"], `${root}/node_modules/.cache/parley/compiled`);
    process.env["NODE_COMPILE_CACHE"] = "/elsewhere";
    assert.equal(environment()["NODE_COMPILE_CACHE"], "/elsewhere");
  } finally {
    if (outside === undefined) delete process.env["NODE_COMPILE_CACHE"];
    else process.env["NODE_COMPILE_CACHE"] = outside;
  }
});

test("output and exit codes are collected, programs that do not exist are a code too", async () => {
  const result = await run(process.execPath, ["-e", 'console.log("a"); console.error("b"); process.exit(3)'], {
    quiet: true,
  });
  assert.equal(result.code, 3);
  assert.match(result.output, /a/);
  assert.match(result.output, /b/);
  assert.equal((await run("no-such-program-anywhere", [], { quiet: true })).code, 127);
  assert.equal(await hasProgram("sh"), true);
  assert.equal(await hasProgram("no-such-program-anywhere"), false);
});

test("a deadline ends the whole group, grandchildren too", async () => {
  const script = 'sleep 60 & echo "grandchild $!"; wait';
  const result = await run("sh", ["-c", script], { quiet: true, deadlineMs: 300 });
  assert.equal(result.code, 124);
  const pid = Number(/grandchild (\d+)/.exec(result.output)?.[1]);
  // Gone, or a zombie that waits for whoever adopted it.
  const state = await run("sh", ["-c", `cat /proc/${pid}/stat 2>/dev/null | cut -d' ' -f3`], { quiet: true });
  assert(["", "Z"].includes(state.output.trim()), state.output);
});
