// npm run bench:join -- [--tls] [--runs 7] --json
//
// From the call of connect to the first decoded frame, in Chromium with the SDK, over paths with 100 and 200 ms of round trip.
// The difference of the two, divided by 100 ms, is the number of round trips; what the machine itself needs cancels out.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startChromium, startParley, writeCertificate } from "@parley/testing";
import { DelayedPath } from "./join/delay-line.ts";
import { joinTimes, milestones, openSdkPage, publishCamera, type Milestone } from "./join/sdk-page.ts";

/** The server's own loopback address, and the one at which clients reach it through the delay. */
const serverHost = "127.0.0.1";
const delayedHost = "127.0.0.2";
const room = "bench";
const rttsMs = [100, 200] as const;

const usage = "usage: npm run bench:join -- [--tls] [--runs 7] [--json]     (bench/README.md)";
const values = readArguments();

/** Ends the process with the usage when that is asked for, or an argument is wrong. */
function readArguments(): { readonly tls: boolean; readonly runs: number; readonly json: boolean } {
  try {
    const { tls, json, help, runs } = parseArgs({
      options: {
        tls: { type: "boolean", default: false },
        runs: { type: "string", default: "7" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
    if (help) {
      console.log(usage);
      process.exit();
    }
    const count = Number(runs);
    if (!Number.isInteger(count) || count < 1 || count > 100) throw new Error("--runs is a whole number from 1 to 100");
    return { tls, json, runs: count };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(1);
  }
}

type JoinTimes = Readonly<Record<Milestone, number>>;

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** One server, one publisher without delay, `runs` viewers one after the other through the delay. */
async function measure(rttMs: number, tls: boolean, runs: number): Promise<readonly JoinTimes[]> {
  const folder = await mkdtemp(join(tmpdir(), "parley-bench-"));
  const certFile = join(folder, "cert.pem");
  const keyFile = join(folder, "key.pem");
  if (tls) await writeCertificate({ certFile, keyFile });
  const args = ["--media.bind", serverHost, "--media.announce", delayedHost];
  if (tls) args.push("--http.tls.certFile", certFile, "--http.tls.keyFile", keyFile);
  const server = await startParley({ args });
  const path = new DelayedPath(0);
  const chromium = await startChromium({ args: ["--ignore-certificate-errors"] });
  try {
    const scheme = tls ? "wss" : "ws";
    const port = await path.tcp({ host: delayedHost, port: 0 }, { host: serverHost, port: server.httpPort });
    await path.udp({ host: delayedHost, port: server.mediaPort }, { host: serverHost, port: server.mediaPort });
    const token = await server.token({ room, publish: true, subscribe: true });
    const publisher = await openSdkPage(chromium);
    await publishCamera(publisher, `${scheme}://${serverHost}:${server.httpPort}`, token, room);
    // From here on: the camera stays close to the server, viewers are far.
    path.rttMs = rttMs;
    const samples: JoinTimes[] = [];
    // The first one warms the server and the browser up.
    for (let run = 0; run <= runs; run++) {
      const viewer = await openSdkPage(chromium);
      const times = await joinTimes(viewer, `${scheme}://${delayedHost}:${port}`, token, room);
      if (run > 0) samples.push(times);
      await viewer.page.close();
    }
    return samples;
  } finally {
    await chromium.close();
    path.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const medians: JoinTimes[] = [];
for (const rttMs of rttsMs) {
  const samples = await measure(rttMs, values.tls, values.runs);
  const byMilestone = milestones.map((name) => [name, median(samples.map((times) => times[name]))] as const);
  medians.push(Object.fromEntries(byMilestone) as Record<Milestone, number>);
  if (!values.json) {
    const frames = samples.map(({ frame }) => frame.toFixed(0)).join(" ");
    console.log(
      `${rttMs} ms: ${byMilestone.map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(", ")}; frames ${frames}`,
    );
  }
}
const [at100, at200] = medians;
/** To one decimal. */
const roundTripsTo = (name: Milestone): number =>
  Math.round(((at200?.[name] ?? Number.NaN) - (at100?.[name] ?? Number.NaN)) / 10) / 10;
if (!values.json)
  console.log(`round trips until: ${milestones.map((name) => `${name} ${roundTripsTo(name)}`).join(", ")}`);
console.log(
  JSON.stringify({
    tls: values.tls,
    rttMs: rttsMs,
    firstFrameMs: medians.map(({ frame }) => Math.round(frame)),
    roundTrips: roundTripsTo("frame"),
  }),
);
