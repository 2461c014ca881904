import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { mintToken } from "@parley/domain-access";

const secret = "bench-secret-bench-secret-bench-secret";
const key = "bench";
const program = fileURLToPath(new URL("../../apps/parley/src/main.ts", import.meta.url));
const readyWithinMs = 30_000;
/** Clock ticks per second in /proc (USER_HZ is 100 on every Linux that Node runs on). */
const ticksPerSecond = 100;

/** A Parley of its own process, everything in it, on free ports of this machine. */
export class ServerProcess {
  readonly origin: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, origin: string) {
    this.#child = child;
    this.origin = origin;
  }

  /** `nodeFlags`: in place of those that the program starts with. */
  static async start(threads: number, nodeFlags: readonly string[] = []): Promise<ServerProcess> {
    const flags = ["--http.host", "127.0.0.1", "--http.port", "0", "--media.udpPort", "0", "--media.tcpPort", "-1"];
    flags.push(
      "--media.bind",
      "127.0.0.1",
      "--limits.joinsPerSecondPerAddress",
      "100000",
      "--shutdown.deadlineMs",
      "500",
      "--log.level",
      "warn",
    );
    if (threads > 0) flags.push("--media.threads", String(threads));
    const child = spawn(process.execPath, [...nodeFlags, program, "serve", ...flags], {
      env: { ...process.env, PARLEY_APPS: `${key}:${secret}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const origin = await readyOrigin(child);
    return new ServerProcess(child, origin);
  }

  token(room: string, publish: boolean): string {
    const exp = Math.ceil(Date.now() / 1000) + 3_600;
    const sub = publish ? "camera" : "viewer";
    return mintToken({ iss: key, sub, exp, room, publish, subscribe: true }, secret);
  }

  /** User and system time of all its threads, by the kernel. */
  async cpuUs(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, "utf8");
    // The second field is a name in parentheses, which may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
  }

  /** Time of its threads by name, by the kernel: the finest there is. `MainThread` runs JavaScript, `parley-0` and on are the data plane. */
  async threadCpuUs(): Promise<ReadonlyMap<string, number>> {
    const folder = `/proc/${this.#child.pid}/task`;
    const times = new Map<string, number>();
    for (const task of await readdir(folder)) {
      const read = (file: string) => readFile(`${folder}/${task}/${file}`, "utf8").catch(() => "");
      const [name, stat] = await Promise.all([read("comm"), read("schedstat")]);
      times.set(name.trim(), (times.get(name.trim()) ?? 0) + Number(stat.split(" ")[0] ?? 0) / 1000);
    }
    return times;
  }

  async descriptors(): Promise<number> {
    return (await readdir(`/proc/${this.#child.pid}/fd`)).length;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Proportional set size without what is mapped from files: the share of Node's own binary shrinks whenever another Node
   * starts somewhere on the machine, and does not grow with subscribers.
   */
  async pssKb(): Promise<number> {
    const rollup = await readFile(`/proc/${this.#child.pid}/smaps_rollup`, "utf8");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1] ?? Number.NaN);
    return field("Pss_Anon") + field("Pss_Shmem");
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

/** Waits for the line that names the address. */
function readyOrigin(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
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
      child.stdout?.off("data", onData);
      // What it says later is let through, or its pipe would fill.
      child.stdout?.resume();
    };
    child.once("exit", onExit);
    child.stdout?.on("data", onData);
  });
}
