import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const bench = fileURLToPath(new URL("../../bench/media.ts", import.meta.url));
const limit = { timeout: 120_000 };

interface Line {
  text(name: string): string;
  number(name: string): number;
  /** All of these are there and above zero. */
  positive(...names: readonly string[]): void;
}

/** The one line a run prints. A run that the machine was too busy for (exit code 3) has its line, too. */
async function run(...args: readonly string[]): Promise<Line> {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, ...args, "--json"]).catch((error: unknown) => {
    const { code, stdout: printed, message } = error as { code: number; stdout: string; message: string };
    if (code !== 3) throw new Error(message, { cause: error });
    return { stdout: printed };
  });
  const line = JSON.parse(stdout) as Record<string, number | string>;
  const number = (name: string) => Number(line[name]);
  return {
    text: (name) => String(line[name]),
    number,
    positive: (...names) => {
      for (const name of names) assert.ok(number(name) > 0, `${name} is ${line[name]} in ${stdout}`);
    },
  };
}

/** The whole road in small: a real server, a camera over WHIP, viewers over WHEP that lose packets and get them again. */
test("[MED-7] the benchmark's viewers get every packet, repaired where they lost some", limit, async () => {
  for (const srtp of ["gcm", "sha1"]) {
    const line = await run("--subscribers", "5", "--warmup", "3", "--seconds", "3", "--srtp", srtp);
    assert.equal(line.text("srtp"), srtp);
    for (const none of ["lost", "authenticationFailures", "sendErrors"]) assert.equal(line.number(none), 0, none);
    // 200 packets/s for 3 s to five viewers.
    assert.ok(line.number("packets") > 2_500, `packets ${line.number("packets")}`);
    assert.ok(line.number("dropped") > 0 && line.number("repaired") > 0, "something was lost and repaired");
    assert.ok(line.number("rtxSent") >= line.number("repaired"));
    assert.ok(line.number("twccReports") > 100, `reports ${line.number("twccReports")}`);
    line.positive(
      "cpuUsPerPacket",
      "floorUsPerPacket",
      "sendtoUsPerPacket",
      "ratioToFloor",
      "segmentsPerSend",
      "p50Us",
    );
    assert.ok(line.number("p99Us") >= line.number("p50Us"));
    assert.equal(line.number("floorDrained"), 1);
  }
});

test("[MED-7] meetings: everybody gets everybody else's packets, and the floor's people too", limit, async () => {
  const line = await run("--profile", "meeting", "--people", "4", "--meetings", "2", "--seconds", "1");
  assert.equal(line.number("lost"), 0);
  assert.equal(line.number("authenticationFailures"), 0);
  assert.equal(line.number("packets"), line.number("published") * 3);
  assert.ok(line.number("published") > 8 * 150, `published ${line.number("published")}`);
  line.positive("cpuUsPerPacket", "floorUsPerPacket", "ratioToFloor", "p99Us");
  assert.equal(line.number("floorReceived"), 1);
  assert.equal(line.number("floorDrained"), 1);
});

test("an argument that makes no sense is named", async () => {
  await assert.rejects(
    promisify(execFile)(process.execPath, [bench, "--profile", "flat"]),
    /--profile is burst or spread/,
  );
});
