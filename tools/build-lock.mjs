// One build at a time in a checkout: several starts and tests may want the same thing at once.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs `action` while holding the lock that `folder` is; a lock whose holder is gone is taken over. */
export async function withLock(folder, action) {
  const holderFile = join(folder, "pid");
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (!isAlive(holderFile)) rmSync(folder, { recursive: true, force: true });
  }
  writeFileSync(holderFile, String(process.pid));
  try {
    await action();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(holderFile) {
  try {
    process.kill(Number(readFileSync(holderFile, "utf8")), 0);
    return true;
  } catch {
    return false;
  }
}
