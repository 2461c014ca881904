import { readFile, readdir } from "node:fs/promises";

/** Clock ticks per second in /proc (USER_HZ is 100 on every Linux that Node runs on). */
const ticksPerSecond = 100;

export interface ThreadUsage {
  readonly id: string;
  readonly name: string;
  readonly isMain: boolean;
  /** User and system time. */
  readonly cpuUs: number;
  /** `fifo` is real-time scheduling; a `nice` below zero goes before others. */
  readonly policy: "normal" | "fifo" | "other";
  readonly nice: number;
}

/** What a process uses, by the kernel's accounting. Times have steps of 10 ms. */
export class ProcessUsage {
  readonly #folder: string;

  constructor(pid: number) {
    this.#folder = `/proc/${pid}`;
  }

  /** User and system time of all its threads, also of those that have ended. */
  async cpuUs(): Promise<number> {
    return readStat(await readFile(`${this.#folder}/stat`, "utf8")).cpuUs;
  }

  async threads(): Promise<readonly ThreadUsage[]> {
    const ids = await readdir(`${this.#folder}/task`);
    const stats = await Promise.all(
      ids.map(async (id) => {
        // A thread may end between the list and the look.
        const text = await readFile(`${this.#folder}/task/${id}/stat`, "utf8").catch(() => undefined);
        return text === undefined ? [] : [{ ...readStat(text), id, isMain: this.#folder.endsWith(`/${id}`) }];
      }),
    );
    return stats.flat();
  }

  /**
   * Proportional set size without what is mapped from files: the share of Node's own binary shrinks whenever another Node
   * starts somewhere on the machine, and does not grow with subscribers.
   */
  async pssKb(): Promise<number> {
    const rollup = await readFile(`${this.#folder}/smaps_rollup`, "utf8");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1] ?? Number.NaN);
    return field("Pss_Anon") + field("Pss_Shmem");
  }

  async descriptors(): Promise<number> {
    return (await readdir(`${this.#folder}/fd`)).length;
  }
}

/** Of one process over some time. */
export interface UsageSpan {
  readonly cpuUs: number;
  readonly elapsedUs: number;
  /** Shares of one core. */
  readonly mainShare: number;
  /** Of the busiest thread whose name begins with the given text. */
  share(namePrefix: string): number;
}

/** Begins a span; the function that comes back ends it. */
export async function beginUsage(usage: ProcessUsage): Promise<() => Promise<UsageSpan>> {
  const [threads, cpuUs, beganMs] = [await usage.threads(), await usage.cpuUs(), performance.now()];
  return async () => {
    const [after, cpuAfterUs] = [await usage.threads(), await usage.cpuUs()];
    const elapsedUs = (performance.now() - beganMs) * 1000;
    const grown = after.map((thread) => {
      const before = threads.find(({ id }) => id === thread.id);
      return { ...thread, share: (thread.cpuUs - (before?.cpuUs ?? 0)) / elapsedUs };
    });
    return {
      cpuUs: cpuAfterUs - cpuUs,
      elapsedUs,
      mainShare: grown.find(({ isMain }) => isMain)?.share ?? Number.NaN,
      share: (prefix) => Math.max(0, ...grown.filter(({ name }) => name.startsWith(prefix)).map(({ share }) => share)),
    };
  };
}

/** Microseconds all cores together were idle since the machine started. */
export async function machineIdleUs(): Promise<number> {
  const [first = ""] = (await readFile("/proc/stat", "utf8")).split("\n");
  // cpu user nice system idle iowait ...
  const fields = first.split(/\s+/);
  return ((Number(fields[4]) + Number(fields[5])) * 1_000_000) / ticksPerSecond;
}

/** How many files and sockets this process may have open. Node raises its soft limit to the hard one by itself. */
export async function descriptorLimit(): Promise<number> {
  const text = await readFile("/proc/self/limits", "utf8");
  const value = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  return value === undefined || value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
}

/** Throws with what to do when so many sockets cannot be had. */
export async function requireDescriptors(sockets: number, what: string): Promise<void> {
  // Node's own, and some at once for HTTP.
  const needed = sockets + 200;
  const limit = await descriptorLimit();
  if (limit >= needed) return;
  throw new Error(
    `${what} need ${needed} file descriptors, and this process may have ${limit}: raise the limit ("ulimit -n ${needed}" as root, or LimitNOFILE=)`,
  );
}

function readStat(text: string): Omit<ThreadUsage, "id" | "isMain"> {
  // The second field is a name in parentheses, which may hold blanks.
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  // proc_pid_stat(5), from the third field on: 14 utime, 15 stime, 19 nice, 41 policy.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  const policies = { 0: "normal", 1: "fifo" } as const;
  const policy = field(41);
  return {
    name,
    cpuUs: ((field(14) + field(15)) * 1_000_000) / ticksPerSecond,
    policy: policy === 0 || policy === 1 ? policies[policy] : "other",
    nice: field(19),
  };
}
