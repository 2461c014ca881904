import {
  inParallel,
  LoadPeers,
  measureWindow,
  requireDescriptors,
  sleep,
  untilStates,
  type MediaWindow,
} from "@parley/app";
import { RoomKind } from "@parley/protocol";
import type { MediaBenchOptions } from "../arguments.ts";
import { Person } from "../person.ts";
import { cameraPacketsPerSecond, peerOptions, round, trust, withStand, type Figures, type Stand } from "../stand.ts";

/** Of those who switch: fewer requests per second each than the gateway allows. */
const switchers = 25;
const switchedPairs = 10;
const switchedCameras = 12;
/** Their media is not what is measured. */
const switchedPace = 0.1;
/** Of those whose media is measured meanwhile. */
const watchers = 100;

/**
 * Profile `control`: what the JavaScript thread does for very many viewers with normal RTCP; what binding a slot costs it, and whether others
 * notice when slots are switched all the time.
 */
export async function control(options: MediaBenchOptions): Promise<Figures> {
  await requireDescriptors(options.subscribers, `${options.subscribers} viewers`);
  const crowd = await withStand(options, ofCrowd);
  const switching = await withStand(options, ofSwitching);
  const reason = crowd.void ?? switching.void;
  return { profile: options.profile, ...crowd, ...switching, ...(reason === undefined ? {} : { void: reason }) };
}

async function ofCrowd({ options, server, load, say }: Stand): Promise<Figures> {
  const { subscribers } = options;
  const pace = options.pace ?? round(options.totalPacketsPerSecond / subscribers / cameraPacketsPerSecond, 3);
  const shape = peerOptions(options, pace);
  const host = { ...shape, user: "host", sends: true, receivePairs: 0, kind: RoomKind.LIVE_CLASS };
  const camera = await Person.join(server, load, "crowd", host);
  try {
    const peers = new LoadPeers(server, load, shape, "crowd");
    await peers.join(subscribers);
    await peers.untilStates("all viewers see the camera", ({ withMedia }) => withMedia >= subscribers);
    say(`${subscribers} viewers, measuring for ${options.seconds} s`);
    await sleep(2_000);
    const window = await measureWindow(server, load, { seconds: options.seconds, pace });
    const { snapshot, sending } = window;
    return {
      subscribers,
      pace,
      mainShareOfCore: round(sending.mainShare, 3),
      packetsPerSecond: Math.round((snapshot.distinct * 1_000_000) / sending.elapsedUs),
      receiverReportsPerSecond: Math.round((snapshot.receiverReports * 1_000_000) / sending.elapsedUs),
      twccReportsPerSecond: Math.round((snapshot.transportReports * 1_000_000) / sending.elapsedUs),
      lost: Math.max(0, snapshot.published * subscribers - snapshot.distinct),
      p99Us: snapshot.p99Us,
      ...trust(window),
    };
  } finally {
    camera.close();
  }
}

async function ofSwitching(stand: Stand): Promise<Figures> {
  const { options, server, load, say } = stand;
  const people: Person[] = [];
  try {
    const peers = new LoadPeers(server, load, peerOptions(options, 1));
    await peers.publish();
    const shape = { ...peerOptions(options, switchedPace), measured: false };
    await inParallel(switchedCameras + switchers, async (index) => {
      const sends = index < switchedCameras;
      const who = { ...shape, user: `person-${index}`, sends, receivePairs: sends ? 0 : switchedPairs };
      people.push(await Person.join(server, load, "switching", who));
    });
    await peers.join(watchers);
    await untilStates(load, "the watchers see their camera", ({ withMedia }) => withMedia >= watchers);
    const cameras = people.flatMap(({ streamId }) => (streamId === 0 ? [] : [streamId]));
    const switching = people.filter(({ streamId }) => streamId === 0);
    for (const person of switching) await person.watch(cameras.slice(0, switchedPairs));
    const { seconds } = options;
    const quiet = await measureWindow(server, load, { seconds });
    say(`${options.switches} switches per second for ${seconds} s, one and ten per request`);
    const results: Figures[] = [];
    for (const perRequest of [1, switchedPairs]) {
      const done = { switches: 0 };
      const meanwhile = () =>
        switchSlots(switching, cameras, { perSecond: options.switches, perRequest, seconds }, done);
      // What the way to the server needs is warm by then.
      if (perRequest === 1) await meanwhile();
      done.switches = 0;
      results.push(
        ofWindow(await measureWindow(server, load, { seconds, meanwhile }), quiet, done.switches, perRequest),
      );
    }
    return Object.assign({}, ...results) as Figures;
  } finally {
    for (const person of people) person.close();
  }
}

function ofWindow(window: MediaWindow, quiet: MediaWindow, switches: number, perRequest: number): Figures {
  const { sending, snapshot } = window;
  const name = (text: string) => `${text}${perRequest === 1 ? "" : `InRequestsOf${perRequest}`}`;
  // Against the same time without switches.
  const mainUs = (sending.mainShare - quiet.sending.mainShare) * sending.elapsedUs;
  return {
    [name("bindUs")]: round(mainUs / switches, 1),
    [name("switchesPerSecond")]: Math.round((switches * 1_000_000) / sending.elapsedUs),
    [name("switchingMissing")]: snapshot.missing,
    switchingMissingWithout: quiet.snapshot.missing,
    [name("switchingP99Us")]: snapshot.p99Us,
    switchingP99UsWithout: quiet.snapshot.p99Us,
    [name("switchingMainShare")]: round(sending.mainShare, 3),
    ...(window.void === undefined ? {} : { void: window.void }),
  };
}

/** Every request binds the next slots of a person to the next camera; the pace is kept whatever the answers take. */
async function switchSlots(
  people: readonly Person[],
  cameras: readonly number[],
  {
    perSecond,
    perRequest,
    seconds,
  }: { readonly perSecond: number; readonly perRequest: number; readonly seconds: number },
  done: { switches: number },
): Promise<void> {
  const beganMs = performance.now();
  const under: Promise<void>[] = [];
  let requests = 0;
  while (performance.now() - beganMs < seconds * 1000) {
    const due = Math.floor((((performance.now() - beganMs) / 1000) * perSecond) / perRequest);
    for (; requests < due; requests += 1) {
      const person = people[requests % people.length];
      const turn = Math.floor(requests / people.length);
      const bindings = Array.from({ length: perRequest }, (_, index) => {
        const pair = (turn * perRequest + index) % switchedPairs;
        return { mid: String(pair * 2 + 1), streamId: cameras[(turn + pair + 1) % cameras.length] ?? 0 };
      });
      const bound = person?.bind(bindings).then(() => {
        done.switches += perRequest;
      });
      if (bound !== undefined) under.push(bound);
    }
    await sleep(2);
  }
  await Promise.all(under);
}
