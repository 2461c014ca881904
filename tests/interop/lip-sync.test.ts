import { type TestContext, after, before, test } from "node:test";
import { PEOPLE, Phases, startDirectLink, until, untilPictureOf, watchLips, type Person } from "@parley/testing";
import { ROOM, type Scene, openScene } from "../scene.ts";
import { type ForeignClient, startForeign } from "./foreign-client.ts";

// Flash and beep at the same media time. What a page shows and plays has an offset of its own (compositor, audio buffers, a busy machine),
// so a source of the same kind is measured beside it at the same page, at the same time, without Parley in between: the difference counts.

const PERIOD_MS = 1000;
/** Picture and sound drift apart audibly from some 80 ms on (ITU-R BT.1359); 60 ms leaves room for the rest of the way. */
const TOLERANCE_MS = 60;
/** Of so many flashes the median counts. */
const FLASHES = 8;
/**
 * Chromium moves picture and sound together by some 80 ms a second at most, trusts sender reports only after a few, and starts again when
 * a busy machine makes it wait: so long it may take until eight flashes in a row are in sync.
 */
const IN_SYNC_DEADLINE_MS = 25_000;

let scene: Scene;

before(async () => {
  scene = await openScene({ chromium: { plainCandidates: true } });
});
after(() => scene.close());

/** Waits until a client behind Parley is as much in sync as one that a browser is directly connected to, side by side. */
async function untilInSync(context: TestContext, direct: number, viewer: number, phases: Phases): Promise<void> {
  const watches = await Promise.all([direct, viewer].map(async (id) => watchLips(scene.viewers, id, PERIOD_MS)));
  let seen = "too few flashes and beeps";
  await until(
    async () => {
      const [baseline, measured] = await Promise.all(watches.map(async ({ newest }) => newest(FLASHES)));
      if (baseline === undefined || measured === undefined) return false;
      seen = `direct ${baseline.medianMs.toFixed(0)} ms (${baseline.offsetsMs.join(" ")}), through Parley ${measured.medianMs.toFixed(0)} ms (${measured.offsetsMs.join(" ")})`;
      return Math.abs(measured.medianMs - baseline.medianMs) <= TOLERANCE_MS;
    },
    { what: "lips in sync", deadlineMs: IN_SYNC_DEADLINE_MS, intervalMs: 500, phases, describe: () => seen },
  );
  phases.mark("in sync");
  context.diagnostic(`${seen}; ${phases.toString()}`);
}

/** The client of a publisher that is directly connected to the viewers' page. */
async function directClient(context: TestContext, publish: (endpoint: string) => Promise<unknown>): Promise<number> {
  const link = await startDirectLink(scene.viewers);
  context.after(() => link.close());
  await publish(link.whipUrl);
  const id = await until(() => link.clients[0], { what: "a direct client", deadlineMs: 5000 });
  await until(() => scene.viewers.picture(id), { what: "a direct picture", deadlineMs: 8000 });
  return id;
}

test("[MED-4] lip sync: flash and beep of a browser, within 60 ms of the source", async (context) => {
  const phases = new Phases();
  const media = await scene.publishers.makeMedia({ ...PEOPLE.anna, flashEveryMs: PERIOD_MS });
  const direct = await directClient(context, async (endpoint) => scene.publishers.publish({ endpoint, media }));
  const token = await scene.server.token({ room: ROOM, publish: true });
  const publisher = await scene.publishers.publish({ endpoint: scene.server.whipUrl(ROOM, "lips"), token, media });
  const viewer = await scene.watch("lips");
  await untilPictureOf("anna", () => scene.viewers.picture(viewer), { deadlineMs: 8000, phases });
  phases.mark("picture");
  await untilInSync(context, direct, viewer, phases);
  await scene.viewers.stop(viewer);
  await scene.viewers.vanish(direct);
  await scene.publishers.stop(publisher);
  await scene.publishers.closeMedia(media);
});

/**
 * Two kinds of publishers whose clocks agree with nobody's: sender reports in other epochs, an hour ahead or a day behind, 300 ppm too
 * fast or too slow (a bad crystal has 100).
 */
const CLOCKS = [
  {
    person: "anna",
    flags: ["--ntp-time-source", "running-time", "--clock-rate", "1.0003", "--clock-offset-s", "3600"],
  },
  { person: "ben", flags: ["--ntp-time-source", "clock-time", "--clock-rate", "0.9997", "--clock-offset-s", "86400"] },
] as const satisfies readonly { readonly person: Person; readonly flags: readonly string[] }[];

test("[MED-4] lip sync after a slot was bound ten times to publishers with skewed clocks", async (context) => {
  const phases = new Phases();
  const flashing = ["--flash-every-ms", String(PERIOD_MS)];
  const last = CLOCKS[1];
  const token = await scene.server.token({ room: ROOM, publish: true });
  const endpoint = scene.server.whipUrl(ROOM, "relay-race");
  const viewer = await scene.watch("relay-race");
  let runner: ForeignClient | undefined;
  context.after(() => runner?.stop());
  for (let round = 0; round < 10; round += 1) {
    const { person, flags } = CLOCKS[round % 2] ?? last;
    // The new one takes the name while the old one still sends: the viewer's slots are bound anew, its PeerConnection stays.
    const next = await startForeign("gstreamer", "publish", { endpoint, token, person, more: [...flashing, ...flags] });
    await runner?.stop();
    runner = next;
    await untilPictureOf(person, () => scene.viewers.picture(viewer), { deadlineMs: 8000, phases });
    phases.mark(`round ${round}`);
  }
  // GStreamer's own reports are not fit for a baseline (their RTP times run at twice the pace): a browser's are.
  const media = await scene.publishers.makeMedia({ ...PEOPLE.carla, flashEveryMs: PERIOD_MS });
  const direct = await directClient(context, async (directEndpoint) =>
    scene.publishers.publish({ endpoint: directEndpoint, media }),
  );
  await untilInSync(context, direct, viewer, phases);
});
