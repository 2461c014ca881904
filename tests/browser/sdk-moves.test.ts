import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { Room } from "@parley/sdk";
import { PEOPLE, Phases, startChromium, startParley, until, type Chromium, type ParleyProcess } from "@parley/testing";
import { tokenFor } from "../demo-stage.ts";
import { SdkPage } from "../sdk-stage.ts";

/** People whom a host moves between rooms while they send and receive. */

const limit = { timeout: 120_000 };
/** From the second move to pictures on both sides. */
const backDeadlineMs = 5_000;
/** Between the two moves, in a real browser's time: nothing of the first is done, its offers are on their way, its connections are being made, it is done. */
const pausesMs = [0, 5, 15, 30, 50, 80, 120, 200, 400];

let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  server = await startParley();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  const code = await server?.stop();
  assert.equal(code, 0, server?.lines().slice(-20).join("\n"));
});

async function hostIn(room: string): Promise<Room> {
  const host = new Room({ receive: false });
  await host.connect(server.url, await tokenFor(server, `host of ${room}`, true), { room });
  return host;
}

test(
  "[SIG-4] moved away and back at once: both see each other again, however far the first move had come",
  limit,
  async (t) => {
    const [here, there] = [await hostIn("school"), await hostIn("school/corner")];
    const page = await SdkPage.open(chromium);
    for (const name of ["anna", "ben"] as const) {
      const token = await server.token({ room: "school", publish: true, subscribe: true });
      await page.join({ name, url: server.url, token, room: "school", media: await page.makeMedia(name) });
    }
    const colours = { anna: PEOPLE.anna.colour, ben: PEOPLE.ben.colour };
    for (const viewer of ["anna", "ben"] as const) await page.watchFaces(viewer, colours);
    const framesOf = async (viewer: "anna" | "ben"): Promise<number> => {
      const { seen, wrong } = await page.faces(viewer);
      assert.deepEqual(wrong, []);
      return Object.values(seen).reduce((sum, { frames }) => sum + frames, 0);
    };
    const bothSee = async (what: string, deadlineMs: number, phases: Phases): Promise<void> => {
      const before = { anna: await framesOf("anna"), ben: await framesOf("ben") };
      for (const viewer of ["anna", "ben"] as const) {
        await until(async () => (await framesOf(viewer)) >= before[viewer] + 3, {
          what: `${what}: ${viewer} sees new pictures`,
          deadlineMs,
          phases,
        });
        phases.mark(`${viewer} sees`);
      }
    };
    const phases = new Phases();
    await bothSee("at the start", 15_000, phases);
    for (const pauseMs of pausesMs) {
      const { participantId } = await page.state("ben");
      await here.host.move([participantId], "school/corner");
      await until(() => Promise.resolve(there.remoteParticipants.size === 1), {
        what: "ben is there",
        deadlineMs: 2_000,
      });
      if (pauseMs > 0) await sleep(pauseMs);
      await there.host.move([...there.remoteParticipants.keys()], "school");
      phases.mark(`back after ${pauseMs}`);
      await until(async () => (await page.state("ben")).id === "school", { what: "ben knows", deadlineMs: 2_000 });
      await bothSee(`back after ${pauseMs} ms`, backDeadlineMs, phases);
    }
    t.diagnostic(phases.toString());
    await Promise.all([here.disconnect(), there.disconnect()]);
  },
);
