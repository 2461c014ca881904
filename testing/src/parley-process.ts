import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Child, startChild } from "./child.ts";
import { freePort } from "./free-port.ts";

/** A real server in its own process, on ports of its own, which it keeps over restarts. */
export interface ParleyProcess {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly httpPort: number;
  /** UDP and TCP. */
  readonly mediaPort: number;
  /** Of the process that runs now. */
  readonly pid: () => number;
  /** Output of all processes so far. */
  readonly lines: () => readonly string[];
  readonly whipUrl: (room: string, stream: string) => string;
  readonly whepUrl: (room: string, stream: string) => string;
  /** A token of the development app, made by `parley token`. */
  readonly token: (grants: TokenGrants) => Promise<string>;
  /** Ends it as a crash would, and waits until it is gone. */
  readonly kill9: () => Promise<void>;
  /** Starts it again on the same ports. Resolves when it says that it is ready. */
  readonly restart: () => Promise<void>;
  /** SIGTERM; resolves with the exit code (or the signal that had to end it). */
  readonly stop: () => Promise<number | string>;
}

export interface TokenGrants {
  readonly room: string;
  readonly publish?: boolean;
  readonly subscribe?: boolean;
}

export interface ParleyOptions {
  /** More flags of `parley serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A second start takes under 3 s by itself; the machine of a test may be busy. */
const READY_DEADLINE_MS = 20_000;

const main = fileURLToPath(new URL("../../apps/parley/src/main.ts", import.meta.url));

/**
 * Starts `parley serve --dev` and waits until it is ready.
 *
 * @throws with the server's output when it does not become ready.
 */
export async function startParley(options: ParleyOptions = {}): Promise<ParleyProcess> {
  const httpPort = await freePort();
  const mediaPort = await freePort();
  const args = [
    ...["serve", "--dev", "--http.port", String(httpPort)],
    ...["--media.udpPort", String(mediaPort), "--media.tcpPort", String(mediaPort)],
    ...(options.args ?? []),
  ];
  const earlier: string[] = [];
  const tokens = new Map<string, Promise<string>>();
  let child: Child;
  const start = async (): Promise<void> => {
    child = startChild(process.execPath, [main, ...args], options.env === undefined ? {} : { env: options.env });
    try {
      await child.line(/^Parley \S+ is ready: \S+$/, READY_DEADLINE_MS);
    } catch (error) {
      await child.stop("SIGKILL");
      throw error;
    }
  };
  await start();
  const url = `http://127.0.0.1:${httpPort}`;
  return {
    url,
    httpPort,
    mediaPort,
    pid: () => child.pid,
    lines: () => [...earlier, ...child.lines],
    whipUrl: (room, stream) => `${url}/v1/whip/${encodeURIComponent(room)}?stream=${encodeURIComponent(stream)}`,
    whepUrl: (room, stream) => `${url}/v1/whep/${encodeURIComponent(room)}/${encodeURIComponent(stream)}`,
    token: async (grants) => {
      const key = JSON.stringify(grants);
      const made = tokens.get(key) ?? makeToken(grants);
      tokens.set(key, made);
      return made;
    },
    kill9: async () => {
      await child.stop("SIGKILL");
    },
    restart: async () => {
      earlier.push(...child.lines);
      await start();
    },
    stop: async () => child.stop("SIGTERM"),
  };
}

async function makeToken(grants: TokenGrants): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    main,
    ...["token", "--dev", "--user", "tester", "--room", grants.room],
    ...(grants.publish === true ? ["--publish"] : []),
    ...(grants.subscribe === true ? ["--subscribe"] : []),
  ]);
  return stdout.trim();
}
