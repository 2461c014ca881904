import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PEOPLE, Phases, startChromium, startParley, until, type Chromium, type ParleyProcess } from "@parley/testing";
import { SdkPage, type VoicesHeard } from "../sdk-stage.ts";

/** More people than there are slots for sound: whoever speaks is heard, and every voice is under its own name at every moment. */

const people = ["anna", "ben", "carla", "dan", "eva", "finn"] as const;
const tones = Object.fromEntries(people.map((person) => [person, PEOPLE[person].toneHz]));
/** A word or two into the sentence; a slot that has just been given is kept for 2 s. */
const heardDeadlineMs = 4_000;
const silent = 0;
const speech = 0.25;

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

test(
  "[SIG-5] six speak in turn over three slots: each is heard, and nobody under another's name",
  { timeout: 60_000 },
  async (t) => {
    const room = "in-turn";
    const token = await server.token({ room, publish: true, subscribe: true });
    const stage = await SdkPage.open(chromium);
    const audience = await SdkPage.open(chromium);
    const medias = new Map<string, number>();
    for (const person of people) {
      const media = await stage.makeMedia(person);
      medias.set(person, media);
      await stage.setLoudness(media, silent);
      await stage.join({ name: person, url: server.url, token, room, options: { receive: false } });
      await stage.room(
        person,
        `void (await room.localParticipant.publishTrack(parleyTest.medias.get(${media}).stream.getAudioTracks()[0]))`,
      );
    }
    const options = { initialPairs: 3, maxPairs: 3 };
    await audience.join({ name: "viewer", url: server.url, token, room, options });
    await audience.watchVoices("viewer", tones);
    const phases = new Phases();
    let last: VoicesHeard | undefined;
    let before: number | undefined;
    // Everybody, and twice those whose slots others have had since.
    for (const person of [...people, "anna", "dan"]) {
      if (before !== undefined) await stage.setLoudness(before, silent);
      before = medias.get(person);
      assert.ok(before !== undefined);
      await stage.setLoudness(before, speech);
      phases.mark(`${person} speaks`);
      await until(
        async () => {
          last = await audience.voices("viewer");
          return last.now.includes(person) && last.speakers[0] === person;
        },
        {
          what: `${person} is heard, and named as the speaker`,
          deadlineMs: heardDeadlineMs,
          phases,
          describe: () => last,
        },
      );
      phases.mark(`${person} heard`);
    }
    t.diagnostic(phases.toString());
    const { wrong, heard } = await audience.voices("viewer");
    assert.deepEqual(wrong, []);
    for (const person of people) assert.ok((heard[person] ?? 0) > 0, `${person} was heard`);
  },
);
