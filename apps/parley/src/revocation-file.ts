import { mkdir, open, readFile, rename, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import {
  readRevocationLine,
  writeRevocationLine,
  type KeptRevocation,
  type RevocationStore,
} from "@parley/domain-access";

const fileName = "revocations.jsonl";

/**
 * Revocations in a file of the data folder: one line each, appended and synced before it is acknowledged; rewritten without the expired ones at
 * each start. For one process at a time.
 */
export function createRevocationFile(folder: string): RevocationStore {
  return new RevocationFile(folder);
}

class RevocationFile implements RevocationStore {
  readonly #folder: string;
  #file: FileHandle | undefined;
  /** One write after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(nowUnixMs: number): Promise<readonly KeptRevocation[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const path = join(this.#folder, fileName);
    const kept = parse(await readOrEmpty(path), path).filter(({ keepUntilUnixMs }) => keepUntilUnixMs > nowUnixMs);
    const fresh = await open(`${path}.new`, "w", 0o600);
    try {
      await fresh.writeFile(kept.map((one) => `${writeRevocationLine(one)}\n`).join(""));
      await fresh.sync();
    } finally {
      await fresh.close();
    }
    await rename(`${path}.new`, path);
    await syncFolder(this.#folder);
    this.#file = await open(path, "a", 0o600);
    return kept;
  }

  append(kept: KeptRevocation): Promise<void> {
    const write = async (): Promise<void> => {
      if (this.#file === undefined) throw new Error("the file of revocations is not open");
      const { size } = await this.#file.stat();
      try {
        await this.#file.appendFile(`${writeRevocationLine(kept)}\n`);
        await this.#file.datasync();
      } catch (error) {
        // Half a line must not become the beginning of the next one.
        await this.#file.truncate(size).catch(() => undefined);
        throw error;
      }
    };
    const written = this.#last.then(write, write);
    this.#last = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
    this.#file = undefined;
  }
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** What stands after the last end of line was never acknowledged. @throws when a whole line cannot be read. */
function parse(text: string, path: string): KeptRevocation[] {
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line, index) => {
    const kept = readRevocationLine(line);
    if (kept === undefined) throw new Error(`${path}:${index + 1} is no revocation; repair or remove the line`);
    return kept;
  });
}

/** So that the renamed file is there after a loss of power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
