// npm run bench:media -- --subscribers 100 --profile burst|spread --srtp gcm|sha1 [--gro] [--seconds 10] [--threads n] --json
//
// What a forwarded packet costs the server, as a ratio to what the same datagrams cost with no work but sending. See README.md here.
import { loadLoadClient, type FloorResult, type LoadSnapshot, type NativeLoadClient } from "@parley/native";
import { readArguments, type MediaBenchOptions } from "./media/arguments.ts";
import { Joining, sleep } from "./media/joining.ts";
import { ServerProcess } from "./media/server-process.ts";

/** Loss of the viewers' access, as the benchmark's definition has it. */
const dropRatio = 0.005;
/** Longer than any repair on this machine: ten tries of NACK. */
const repairMs = 700;

interface Window {
  readonly cpuUs: number;
  readonly snapshot: LoadSnapshot;
  readonly segmentsPerSend: number;
  readonly sendErrors: number;
}

async function main(options: MediaBenchOptions): Promise<void> {
  const { LoadClient } = loadLoadClient();
  const client = new LoadClient();
  const server = await ServerProcess.start(options.threads);
  try {
    await run(options, client, server);
  } finally {
    client.close();
    await server.stop();
  }
}

async function run(options: MediaBenchOptions, client: NativeLoadClient, server: ServerProcess): Promise<void> {
  const say = (text: string) => {
    if (!options.json) console.log(text);
  };
  const joining = new Joining(server, client, options);
  const n = options.subscribers;
  await joining.publish();
  client.setSending(false);
  say(`warm-up: ${options.warmupJoins} joins and leaves`);
  await joining.warmUp(options.warmupJoins);

  const cpuBeforeJoins = await server.cpuUs();
  await joining.join(n);
  const cpuMsPerJoin = ((await server.cpuUs()) - cpuBeforeJoins) / 1000 / n;
  say(`${n} viewers joined: ${cpuMsPerJoin.toFixed(2)} ms of CPU each`);

  await untilMedia(client, joining, n);
  say(`measuring for ${options.seconds} s`);
  const window = await measure(server, client, options);

  client.setSending(true);
  const pssAtN = await lowestPssKb(server);
  await joining.join(n);
  await joining.untilStates("the further viewers see the camera", ({ withMedia }) => withMedia >= 2 * n);
  const kbPerSubscriber = ((await lowestPssKb(server)) - pssAtN) / n;

  client.setSending(false);
  await joining.leaveAll();
  say("measuring the floor");
  const firstHand = window.snapshot.distinct - window.snapshot.repaired;
  const overheadBytes = Math.round((window.snapshot.wireBytes - window.snapshot.payloadBytes) / Math.max(1, firstHand));
  const floor = await measureFloor(client, options, "segments", overheadBytes);
  const sendto = await measureFloor(client, options, "sendto", overheadBytes);
  report(options, { window, floor, sendto, kbPerSubscriber, cpuMsPerJoin, overheadBytes });
}

/** Over three seconds: what V8 has not collected yet comes and goes. */
async function lowestPssKb(server: ServerProcess): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 6; i += 1) {
    await sleep(500);
    lowest = Math.min(lowest, await server.pssKb());
  }
  return lowest;
}

async function untilMedia(client: NativeLoadClient, joining: Joining, count: number): Promise<void> {
  client.setSending(true);
  await joining.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= count);
  // Reports and feedback have found their pace.
  await sleep(1_000);
}

/** The camera rests before and after, so that each packet of the window is either there at its end or lost. */
async function measure(server: ServerProcess, client: NativeLoadClient, options: MediaBenchOptions): Promise<Window> {
  client.setSending(false);
  await sleep(repairMs);
  client.setDropRatio(dropRatio);
  client.beginWindow();
  const before = await server.metrics();
  const cpuBefore = await server.cpuUs();
  client.setSending(true);
  await sleep(options.seconds * 1000);
  // A packet dropped with nothing behind it could not be missed by anybody.
  client.setDropRatio(0);
  await sleep(100);
  client.setSending(false);
  await sleep(repairMs);
  const cpuUs = (await server.cpuUs()) - cpuBefore;
  const after = await server.metrics();
  const grown = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
  return {
    cpuUs,
    snapshot: client.snapshot(),
    segmentsPerSend: grown("parley_media_tx_datagrams_total") / grown("parley_media_send_messages_total"),
    sendErrors: grown("parley_media_send_errors_total"),
  };
}

async function measureFloor(
  client: NativeLoadClient,
  options: MediaBenchOptions,
  mode: "segments" | "sendto",
  overheadBytes: number,
): Promise<FloorResult> {
  if (!client.openFloor("127.0.0.1", options.subscribers, options.gro)) throw new Error("No sockets for the floor");
  const durationMs = Math.min(options.seconds, 5) * 1000;
  const { profile } = options;
  if (!client.startFloor({ mode, profile, overheadBytes, durationMs })) throw new Error("The floor did not start");
  while (client.floorRunning()) await sleep(50);
  await sleep(20);
  return client.finishFloor();
}

interface Results {
  readonly window: Window;
  readonly floor: FloorResult;
  readonly sendto: FloorResult;
  readonly kbPerSubscriber: number;
  readonly cpuMsPerJoin: number;
  readonly overheadBytes: number;
}

function report(options: MediaBenchOptions, results: Results): void {
  const { window, floor, sendto } = results;
  const { snapshot } = window;
  const round = (value: number, digits: number) => Number(value.toFixed(digits));
  const cpuUsPerPacket = window.cpuUs / snapshot.distinct;
  const floorUsPerPacket = floor.cpuUs / floor.datagrams;
  const line = {
    subscribers: options.subscribers,
    profile: options.profile,
    srtp: options.srtp,
    cpuUsPerPacket: round(cpuUsPerPacket, 3),
    floorUsPerPacket: round(floorUsPerPacket, 3),
    sendtoUsPerPacket: round(sendto.cpuUs / sendto.datagrams, 3),
    ratioToFloor: round(cpuUsPerPacket / floorUsPerPacket, 2),
    segmentsPerSend: round(window.segmentsPerSend, 2),
    lost: Math.max(0, snapshot.published * options.subscribers - snapshot.distinct),
    rtxSent: snapshot.rtxReceived,
    nacksReceived: snapshot.nackMessages,
    twccReports: snapshot.transportReports,
    p50Us: snapshot.p50Us,
    p99Us: snapshot.p99Us,
    kbPerSubscriber: round(results.kbPerSubscriber, 1),
    cpuMsPerJoin: round(results.cpuMsPerJoin, 2),
    // Not asked for, but they tell whether a run can be trusted.
    packets: snapshot.distinct,
    dropped: snapshot.dropped,
    repaired: snapshot.repaired,
    duplicates: snapshot.duplicates,
    authenticationFailures: snapshot.authenticationFailures,
    sendErrors: window.sendErrors,
    floorSegmentsPerSend: round(floor.datagrams / floor.messages, 2),
    floorDrained: round(floor.drained / floor.datagrams, 4),
    overheadBytes: results.overheadBytes,
    gro: options.gro,
    connectP50Ms: round(snapshot.connectP50Us / 1000, 1),
    connectP99Ms: round(snapshot.connectP99Us / 1000, 1),
  };
  console.log(options.json ? JSON.stringify(line) : JSON.stringify(line, undefined, 2));
}

try {
  await main(readArguments(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
