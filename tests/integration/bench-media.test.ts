import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const bench = fileURLToPath(new URL("../../bench/media.ts", import.meta.url));

/** The whole road in small: a real server, a camera over WHIP, viewers over WHEP that lose packets and get them again. */
test(
  "[MED-7] the benchmark's viewers get every packet, repaired where they lost some",
  { timeout: 120_000 },
  async () => {
    for (const srtp of ["gcm", "sha1"]) {
      const args = ["--subscribers", "5", "--warmup", "3", "--seconds", "3", "--srtp", srtp, "--json"];
      const { stdout } = await promisify(execFile)(process.execPath, [bench, ...args]);
      const line = JSON.parse(stdout) as Record<string, number | string>;
      const number = (name: string) => Number(line[name]);
      assert.equal(line["srtp"], srtp);
      assert.equal(number("lost"), 0);
      assert.equal(number("authenticationFailures"), 0);
      assert.equal(number("sendErrors"), 0);
      // 200 packets/s for 3 s to five viewers.
      assert.ok(number("packets") > 2_500, `packets ${number("packets")}`);
      assert.ok(number("dropped") > 0 && number("repaired") > 0, "something was lost and repaired");
      assert.ok(number("rtxSent") >= number("repaired"));
      assert.ok(number("twccReports") > 100, `reports ${number("twccReports")}`);
      for (const name of [
        "cpuUsPerPacket",
        "floorUsPerPacket",
        "sendtoUsPerPacket",
        "ratioToFloor",
        "segmentsPerSend",
        "p50Us",
      ]) {
        assert.ok(number(name) > 0, name);
      }
      assert.ok(number("p99Us") >= number("p50Us"));
      assert.equal(number("floorDrained"), 1);
    }
  },
);

test("an argument that makes no sense is named", async () => {
  await assert.rejects(
    promisify(execFile)(process.execPath, [bench, "--profile", "flat"]),
    /--profile is burst or spread/,
  );
});
