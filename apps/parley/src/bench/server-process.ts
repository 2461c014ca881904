import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { mintToken } from "@parley/domain-access";
import { ProcessUsage } from "./process-usage.ts";

const secret = "bench-secret-bench-secret-bench-secret";
const key = "bench";
const product = new URL("../main.ts", import.meta.url);
const readyWithinMs = 30_000;
/** Longer than the longest run, an hour. */
const tokenLifeS = 4 * 3_600;

export interface ServerOptions {
  /** Threads of the data plane; 0: as many as the server takes by itself. */
  readonly threads?: number;
  /** `normal`: no real-time scheduling of them. */
  readonly scheduling?: "auto" | "normal";
  /** Instead of the product's own: a program that takes the same arguments. */
  readonly program?: URL;
  /** A module that is loaded into the server's process before it starts (`node --import`). */
  readonly preload?: URL;
  /** Node's own flags. */
  readonly nodeFlags?: readonly string[];
  /** All its threads on this one core. */
  readonly core?: number;
}

/** A Parley of its own process, everything in it, on free ports of this machine. */
export class ServerProcess {
  readonly origin: string;
  readonly usage: ProcessUsage;
  readonly #child: ChildProcess;
  #said = "";

  private constructor(child: ChildProcess, origin: string) {
    this.#child = child;
    this.origin = origin;
    this.usage = new ProcessUsage(child.pid ?? 0);
    child.stdio[3]?.on("data", (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
  }

  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const { threads = 0, scheduling = "auto", program = product, preload, core, nodeFlags = [] } = options;
    const flags = ["--http.host", "127.0.0.1", "--http.port", "0", "--media.udpPort", "0", "--media.tcpPort", "-1"];
    flags.push(
      "--media.bind",
      "127.0.0.1",
      "--limits.joinsPerSecondPerAddress",
      "100000",
      "--shutdown.deadlineMs",
      "500",
      "--media.scheduling",
      scheduling,
      "--log.level",
      "warn",
    );
    if (threads > 0) flags.push("--media.threads", String(threads));
    const imports = preload === undefined ? [] : ["--import", preload.href];
    const command = [process.execPath, ...nodeFlags, ...imports, fileURLToPath(program), "serve", ...flags];
    if (core !== undefined) command.unshift("taskset", "--cpu-list", String(core));
    const [file = "", ...args] = command;
    const child = spawn(file, args, {
      env: { ...foreignEnvironment(), PARLEY_APPS: `${key}:${secret}` },
      // The fourth is for what a preloaded module has to say.
      stdio: ["ignore", "pipe", "inherit", "pipe"],
    });
    child.once("error", () => undefined);
    endWithUs(child);
    const origin = await readyOrigin(child);
    return new ServerProcess(child, origin);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** For a preloaded module. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  token(room: string, publish: boolean, user = publish ? "camera" : "viewer"): string {
    const exp = Math.ceil(Date.now() / 1000) + tokenLifeS;
    return mintToken({ iss: key, sub: user, exp, room, publish, subscribe: true }, secret);
  }

  /** What a preloaded module has written to its descriptor 3 so far: JSON, the last whole line of it. */
  get lastWord(): unknown {
    const [last = ""] = this.#said.split("\n").slice(-2);
    return last === "" ? undefined : JSON.parse(last);
  }

  /** Prometheus counters without labels, by name. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(`${this.origin}/metrics`);
    const found = new Map<string, number>();
    for (const line of (await response.text()).split("\n")) {
      const match = /^([a-z_]+) ([0-9.e+-]+)$/.exec(line);
      if (match?.[1] !== undefined) found.set(match[1], Number(match[2]));
    }
    return found;
  }

  get #alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it; harmless when it has ended. */
  async stop(): Promise<void> {
    if (!this.#alive) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(late);
  }
}

/** Who is told to end must not leave a server behind. */
function endWithUs(child: ChildProcess): void {
  const onSignal = (signal: NodeJS.Signals) => {
    child.kill("SIGKILL");
    process.exit(128 + constants.signals[signal]);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, onSignal);
  child.once("exit", () => {
    for (const signal of signals) process.off(signal, onSignal);
  });
}

/** Without the settings of a server that is not this one. */
function foreignEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PARLEY_")));
}

/** Waits for the line that names the address. */
function readyOrigin(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onError = (error: Error) => fail(`cannot start: ${error.message}`);
    const fail = (why: string) => {
      finish();
      child.kill("SIGKILL");
      reject(new Error(`${why}\n${text}`));
    };
    const onExit = (code: number | null) => fail(`the server ended with ${code}`);
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      const origin = /is ready: (http:\/\/[^/\s]+)/.exec(text)?.[1];
      if (origin === undefined) return;
      finish();
      resolve(origin);
    };
    const late = setTimeout(() => fail("the server was not ready in time"), readyWithinMs);
    const finish = () => {
      clearTimeout(late);
      child.off("exit", onExit);
      child.off("error", onError);
      child.stdout?.off("data", onData);
      // What it says later is let through, or its pipe would fill.
      child.stdout?.resume();
    };
    child.once("exit", onExit);
    child.once("error", onError);
    child.stdout?.on("data", onData);
  });
}
