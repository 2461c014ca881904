import { type ChildProcess, spawn } from "node:child_process";
import { until } from "./deadline.ts";

/** A process that a test started and ends by itself; its output is kept. */
export interface Child {
  readonly pid: number;
  /** All lines of both outputs so far. */
  readonly lines: readonly string[];
  /** Exit code, or the signal's name, once it has ended. */
  readonly ended: () => number | string | undefined;
  /** Resolves with the first line (past or future) that matches; rejects with the output when the process ends or the deadline passes. */
  readonly line: (pattern: RegExp, deadlineMs: number) => Promise<RegExpMatchArray>;
  readonly write: (text: string) => void;
  /** Sends a signal and waits for the end; SIGKILL follows after 5 s. Resolves with exit code or signal. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | string>;
}

/**
 * Starts a process with its own output pipes.
 *
 * @throws when the program cannot be started.
 */
export function startChild(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Child {
  const child = spawn(command, args, {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let end: number | string | undefined;
  collect(child, lines);
  child.once("exit", (code, signal) => {
    end = code ?? signal ?? "unknown";
  });
  child.once("error", (error) => {
    lines.push(error.message);
    end ??= error.message;
  });
  // A test that fails must not leave its processes behind.
  const killOnExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killOnExit);
  child.once("exit", () => process.removeListener("exit", killOnExit));
  child.stdin.on("error", () => undefined);
  return {
    pid: child.pid ?? -1,
    lines,
    ended: () => end,
    line: async (pattern, deadlineMs) => {
      let next = 0;
      return until(
        () => {
          for (; next < lines.length; next += 1) {
            const match = lines[next]?.match(pattern);
            if (match) return match;
          }
          if (end !== undefined)
            throw new Error(`${command} ended (${end}) before ${pattern}:\n${lines.slice(-40).join("\n")}`);
          return undefined;
        },
        { what: `${command} prints ${pattern}`, deadlineMs, intervalMs: 10, describe: () => lines.slice(-20) },
      );
    },
    write: (text) => void child.stdin.write(text),
    stop: async (signal = "SIGTERM") => {
      if (end !== undefined) return end;
      child.kill(signal);
      const forced = setTimeout(() => child.kill("SIGKILL"), 5000);
      try {
        return await until(() => end, { what: `${command} ends`, deadlineMs: 10_000, intervalMs: 10 });
      } finally {
        clearTimeout(forced);
      }
    },
  };
}

function collect(child: ChildProcess, lines: string[]): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    });
    stream?.on("end", () => {
      if (rest !== "") lines.push(rest);
    });
  }
}
