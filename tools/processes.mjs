// Running other programs: output passed on or collected, signals passed on, a deadline.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { cacheFolder, nodePath, root } from "./repository.mjs";

/**
 * The environment for what we start: our Node and programs first in the path, and nothing of the caller's npm
 * configuration (a `nodedir` there would change what the addon is built against). What Node compiles is kept for the next start, unless the caller has
 * decided otherwise (docs/decisions/0023).
 */
export function environment(extra = {}) {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^npm_config_/i.test(name)) env[name] = value;
  }
  env.PATH = [join(root, "node_modules", ".bin"), env.PATH ?? ""].join(delimiter);
  env.NODE_COMPILE_CACHE ??= join(cacheFolder, "compiled");
  return { ...env, ...extra };
}

/**
 * Runs a program to its end and resolves with `{ code, output }`; never rejects.
 * With `quiet` the output is collected instead of shown. After `deadlineMs` its whole process group is killed.
 */
export function run(command, args, { cwd = root, env = environment(), quiet = false, deadlineMs = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
      // A group of its own, so that a deadline ends grandchildren (browsers, servers) too.
      detached: true,
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr?.setEncoding("utf8").on("data", (text) => (output += text));
    const killGroup = (signal) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // It has ended meanwhile.
      }
    };
    const onSignal = (signal) => {
      killGroup(signal);
      process.exitCode = 128 + (constants.signals[signal] ?? 0);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
    let expired = false;
    const timer =
      deadlineMs > 0
        ? setTimeout(() => {
            expired = true;
            console.error(`\n${command} did not end within ${Math.round(deadlineMs / 1000)} s: killed`);
            killGroup("SIGKILL");
          }, deadlineMs)
        : undefined;
    const finish = (code, note) => {
      clearTimeout(timer);
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      resolve({ code, output: output + note });
    };
    child.on("error", (error) => finish(127, `${command}: ${error.message}\n`));
    child.on("close", (code, signal) => finish(expired ? 124 : (code ?? 128 + (constants.signals[signal] ?? 0)), ""));
  });
}

/** Runs a program in the foreground in our place: signals are passed on, and we end with its exit code. */
export function become(command, args, env = environment()) {
  const child = spawn(command, args, { cwd: process.cwd(), env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`${command}: ${error.message}`);
    process.exit(127);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** Our Node with a script of the repository. */
export function runScript(script, args = [], options = {}) {
  return run(nodePath(), [join(root, script), ...args], options);
}

/** Whether a program is in the path. */
export async function hasProgram(name) {
  return (await run("sh", ["-c", 'command -v -- "$1" >/dev/null', "sh", name], { quiet: true })).code === 0;
}
