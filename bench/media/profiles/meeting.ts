import { inParallel, requireDescriptors, sleep, untilStates, type MediaWindow } from "@parley/app";
import type { FloorResult } from "@parley/adapter-media-native";
import type { MediaBenchOptions } from "../arguments.ts";
import { Person } from "../person.ts";
import {
  floorVoid,
  measureRelay,
  measureWithFloor,
  overheadBytesOf,
  peerOptions,
  round,
  trust,
  withStand,
  type Figures,
  type Stand,
} from "../stand.ts";

/** Profile `meeting`: rooms in which everybody sends and receives everybody else. */
export async function meeting(options: MediaBenchOptions): Promise<Figures> {
  const everybody = options.people * options.meetings;
  await requireDescriptors(everybody * 4, `${everybody} people in meetings`);
  return await withStand(options, run);
}

async function run(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const { people, meetings } = options;
  const everybody: Person[] = [];
  try {
    await inParallel(people * meetings, async (index) => {
      const room = `meeting-${Math.floor(index / people)}`;
      const who = {
        ...peerOptions(options, options.pace ?? 1),
        user: `person-${index}`,
        sends: true,
        receivePairs: people - 1,
      };
      everybody.push(await Person.join(server, load, room, who));
    });
    await inParallel(everybody.length, async (index) => {
      const person = everybody[index];
      const others = everybody.filter((other) => other !== person && other.room === person?.room);
      await person?.watch(others.map(({ streamId }) => streamId));
    });
    await untilStates(load, "everybody sees everybody", ({ withMedia }) => withMedia >= everybody.length);
    // Code is compiled, reports and feedback have found their pace.
    await sleep(2_000);
    say(`${meetings} meetings of ${people}, measuring for ${options.seconds} s`);
    const pace = options.pace ?? 1;
    const { window, floor } = await measureWithFloor(stand, { seconds: options.seconds, pace }, (taken) =>
      measureRelay(stand, { people, meetings, overheadBytes: overheadBytesOf(taken), pace, wait: "schedule" }),
    );
    return report(options, window, floor);
  } finally {
    for (const person of everybody) person.close();
  }
}

function report(options: MediaBenchOptions, window: MediaWindow, floor: FloorResult): Figures {
  const { snapshot } = window;
  const { people, meetings, profile, camera, srtp, pace = 1 } = options;
  const cpuUsPerPacket = window.usage.cpuUs / snapshot.distinct;
  const floorUsPerPacket = floor.cpuUs / floor.datagrams;
  const reason = window.void ?? floorVoid(floor);
  return {
    profile,
    people,
    meetings,
    camera,
    srtp,
    pace,
    cpuUsPerPacket: round(cpuUsPerPacket, 3),
    floorUsPerPacket: round(floorUsPerPacket, 3),
    ratioToFloor: round(cpuUsPerPacket / floorUsPerPacket, 2),
    packetsPerSecond: Math.round((snapshot.distinct * 1_000_000) / window.sending.elapsedUs),
    segmentsPerSend: round(window.segmentsPerSend, 2),
    floorSegmentsPerSend: round(floor.datagrams / floor.messages, 2),
    lost: Math.max(0, snapshot.published * (people - 1) - snapshot.distinct),
    p50Us: snapshot.p50Us,
    p99Us: snapshot.p99Us,
    packets: snapshot.distinct,
    published: snapshot.published,
    dropped: snapshot.dropped,
    repaired: snapshot.repaired,
    nacksReceived: snapshot.nackMessages,
    twccReports: snapshot.transportReports,
    authenticationFailures: snapshot.authenticationFailures,
    sendErrors: window.sendErrors,
    floorReceived: round(floor.received / floor.offered, 4),
    floorDrained: round(floor.drained / floor.datagrams, 4),
    overheadBytes: overheadBytesOf(window),
    ...trust(window),
    ...(reason === undefined ? {} : { void: reason }),
  };
}
