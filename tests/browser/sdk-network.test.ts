import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  PEOPLE,
  Phases,
  startChromium,
  startParley,
  until,
  type Chromium,
  type ParleyProcess,
  type Person,
} from "@parley/testing";
import { NetworkPath } from "../network-path.ts";
import { SdkPage } from "../sdk-stage.ts";

/**
 * Calls over networks that change, break and lose. Everything between the browser and the server goes through a relay of ours on
 * another loopback address, which the server announces.
 */

const serverHost = "127.0.0.1";
const relayHost = "127.0.0.3";
const limit = { timeout: 60_000 };
/** From the moment there is a way again. */
const backDeadlineMs = 5_000;
/** Where nobody tells, from the moment the old way died: 2 s to be sure of it, and the rest (2.6 s in all on a machine with something to spare). */
const silentBackDeadlineMs = 8_000;
const pair = ["anna", "ben"] as const satisfies readonly Person[];

let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  server = await startParley({ args: ["--media.bind", serverHost, "--media.announce", relayHost] });
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  const code = await server?.stop();
  assert.equal(code, 0, server?.lines().slice(-20).join("\n"));
});

interface Call extends AsyncDisposable {
  readonly path: NetworkPath;
  readonly page: SdkPage;
  /** Waits until both see the other, moving, with pictures drawn from now on. */
  untilBothSee(what: string, deadlineMs: number, phases: Phases): Promise<void>;
  /** A call of some seconds: what has just begun is not known to flow steadily. */
  untilItStands(phases: Phases): Promise<void>;
  /** How the media connections went: "anna send lost". */
  mediaStates(): Promise<readonly string[]>;
}

/** Anna and Ben in one page, over one network. */
async function startCall(room: string): Promise<Call> {
  const path = new NetworkPath();
  await path.udp({ host: relayHost, port: server.mediaPort }, serverHost);
  const port = await path.tcp(relayHost, { host: serverHost, port: server.httpPort });
  const url = `ws://${relayHost}:${port}`;
  const page = await SdkPage.open(chromium);
  for (const person of pair) {
    const token = await server.token({ room, publish: true, subscribe: true });
    await page.join({ name: person, url, token, room, media: await page.makeMedia(person) });
  }
  const colours = Object.fromEntries(pair.map((person) => [person, PEOPLE[person].colour]));
  for (const person of pair) await page.watchFaces(person, colours);
  const framesOf = async (viewer: Person): Promise<number> => {
    const { seen, wrong } = await page.faces(viewer);
    assert.deepEqual(wrong, []);
    return Object.values(seen).reduce((sum, { frames }) => sum + frames, 0);
  };
  const untilFrames = async (count: number, what: string, deadlineMs: number, phases: Phases): Promise<void> => {
    const startedAtMs = performance.now();
    const before = new Map<Person, number>();
    for (const viewer of pair) before.set(viewer, await framesOf(viewer));
    for (const viewer of pair) {
      await until(async () => (await framesOf(viewer)) >= (before.get(viewer) ?? 0) + count, {
        what: `${what}: ${viewer} sees new pictures`,
        deadlineMs: deadlineMs - (performance.now() - startedAtMs),
        phases,
      });
      phases.mark(`${viewer} sees`);
    }
  };
  return {
    path,
    page,
    untilItStands: (phases) => untilFrames(30, "at the start", 15_000, phases),
    untilBothSee: (what, deadlineMs, phases) => untilFrames(3, what, deadlineMs, phases),
    mediaStates: async () => {
      const lines = [];
      for (const person of pair) {
        for (const event of (await page.state(person)).events) {
          if (event.startsWith("mediaStateChanged"))
            lines.push(`${person} ${event.slice("mediaStateChanged ".length)}`);
        }
      }
      return lines;
    },
    [Symbol.asyncDispose]: async () => {
      await page.client.page.close();
      await path[Symbol.asyncDispose]();
    },
  };
}

test(
  "[SIG-4] the way of media dies without a word and another one is there: calls find it by themselves",
  limit,
  async (t) => {
    await using call = await startCall("another-way");
    const phases = new Phases();
    await call.untilItStands(phases);
    const flowsBefore = call.path.udpFlows;
    phases.mark("cut");
    call.path.cutMedia();
    await call.untilBothSee("after the cut", silentBackDeadlineMs, phases);
    t.diagnostic(phases.toString());
    assert.ok(phases.between("cut", "ben sees") < silentBackDeadlineMs, phases.toString());
    assert.ok(call.path.udpFlows > flowsBefore, "media goes another way");
    const states = await call.mediaStates();
    assert.ok(!states.some((state) => state.endsWith("lost")), `an ICE restart is enough: ${states.join(", ")}`);
  },
);

test(
  "[SIG-4] the network goes and another one comes: the browser says so, and all is back at once",
  limit,
  async (t) => {
    await using call = await startCall("another-network");
    const phases = new Phases();
    await call.untilItStands(phases);
    call.path.isDown = true;
    await chromium.context.setOffline(true);
    phases.mark("offline");
    await until(async () => (await call.page.state("anna")).state === "reconnecting", {
      what: "the SDK knows",
      deadlineMs: 6_000,
      phases,
    });
    phases.mark("noticed");
    call.path.cut();
    call.path.isDown = false;
    await chromium.context.setOffline(false);
    phases.mark("online");
    await call.untilBothSee("after the change", backDeadlineMs, phases);
    t.diagnostic(phases.toString());
    assert.ok(phases.between("online", "ben sees") < backDeadlineMs, phases.toString());
    for (const person of pair) {
      await until(async () => (await call.page.state(person)).state === "connected", {
        what: `${person} is connected`,
        deadlineMs: backDeadlineMs,
        phases,
      });
      const { events } = await call.page.state(person);
      assert.equal(events.filter((event) => event.startsWith("participantDisconnected")).length, 0, "nobody left");
    }
  },
);

test(
  "[SIG-4] make before break: while there is no way at all the last picture stands, and the next PeerConnection goes on from it",
  limit,
  async (t) => {
    await using call = await startCall("no-way");
    const phases = new Phases();
    await call.untilItStands(phases);
    phases.mark("down");
    call.path.isMediaDown = true;
    call.path.cutMedia();
    // The ICE restart finds nothing, so there are new PeerConnections.
    const replaced = async (): Promise<boolean> =>
      (await call.mediaStates()).filter((state) => state.endsWith("receive lost")).length >= pair.length;
    await until(replaced, { what: "new PeerConnections", deadlineMs: 12_000, phases });
    phases.mark("replaced");
    for (const viewer of pair) {
      const tiles = await call.page.tiles(viewer);
      assert.deepEqual(
        tiles.map(({ isShown, isSubscribed }) => ({ isShown, isSubscribed })),
        [{ isShown: true, isSubscribed: true }],
        "the last picture stands",
      );
    }
    call.path.isMediaDown = false;
    phases.mark("up");
    await call.untilBothSee("when there is a way", backDeadlineMs, phases);
    t.diagnostic(phases.toString());
    assert.ok(phases.between("up", "ben sees") < backDeadlineMs, phases.toString());
    for (const viewer of pair) {
      const { hidden, seen } = await call.page.faces(viewer);
      assert.deepEqual(hidden, [], "no tile was ever blank");
      t.diagnostic(`${viewer}: ${JSON.stringify(seen)}`);
      const { events } = await call.page.state(viewer);
      assert.ok(!events.some((event) => event.startsWith("trackUnsubscribed")), "and nothing was taken away");
    }
  },
);

test("[SIG-6] a network that loses: quality goes down for everybody to see, and up again", limit, async (t) => {
  await using call = await startCall("lossy");
  const phases = new Phases();
  await call.untilItStands(phases);
  const quality = (viewer: Person, of: Person): Promise<string> =>
    call.page.room(
      viewer,
      `[room.localParticipant, ...room.remoteParticipants.values()].find(({ name }) => name === "${of}").connectionQuality`,
    );
  const everybodyIs = async (wanted: string): Promise<void> => {
    let last: string[] = [];
    for (const viewer of pair) {
      await until(
        async () => {
          last = await Promise.all(pair.map((of) => quality(viewer, of)));
          return last.every((one) => one === wanted);
        },
        { what: `${viewer} knows that both are ${wanted}`, deadlineMs: 20_000, phases, describe: () => last },
      );
    }
    phases.mark(wanted);
  };
  await everybodyIs("good");
  call.path.lossRatio = 0.25;
  phases.mark("lossy");
  await everybodyIs("poor");
  const loss = `(async () => {
    await room.getStats();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return (await room.getStats()).tracks.map(({ direction, kind, lossRatio, jitterMs, bitrateBps }) => ({ direction, kind, lossRatio, jitterMs, bitrateBps }));
  })()`;
  const tracks = await call.page.room<{ direction: string; kind: string; lossRatio: number; bitrateBps: number }[]>(
    "ben",
    loss,
  );
  t.diagnostic(JSON.stringify(tracks));
  const received = tracks.filter(({ direction, bitrateBps }) => direction === "receive" && bitrateBps > 0);
  assert.ok(received.some(({ lossRatio }) => lossRatio > 0.05));
  call.path.lossRatio = 0;
  phases.mark("clean");
  await everybodyIs("good");
  t.diagnostic(phases.toString());
  const { events } = await call.page.state("ben");
  const told = events.filter((event) => event.startsWith("connectionQualityChanged anna"));
  assert.ok(told.some((event) => event.endsWith("poor")) && told.at(-1)?.endsWith("good"), told.join(", "));
});
