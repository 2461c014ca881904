import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  PEOPLE,
  personOfColour,
  personOfTone,
  startChromium,
  startParley,
  until,
  type Chromium,
  type ParleyProcess,
  type Person,
} from "@parley/testing";
import { SdkPage, type FacesSeen, type Tile } from "../sdk-stage.ts";

/** People in rooms over the real server: every tile has the right person's moving picture, every voice is the right one. */

const limit = { timeout: 120_000 };
const people = ["anna", "ben", "carla", "dan", "eva", "finn"] as const satisfies readonly Person[];
/** From a join to everybody's picture, on two cores that encode and decode all of them. */
const sceneDeadlineMs = 20_000;

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

/** A room with some of the people in it, each sending and receiving, two pages for all. */
class Meeting implements AsyncDisposable {
  readonly room: string;
  readonly pages: readonly SdkPage[];
  readonly #where = new Map<Person, SdkPage>();

  private constructor(room: string, pages: readonly SdkPage[]) {
    this.room = room;
    this.pages = pages;
  }

  static async open(room: string): Promise<Meeting> {
    return new Meeting(room, [await SdkPage.open(chromium), await SdkPage.open(chromium)]);
  }

  get people(): readonly Person[] {
    return [...this.#where.keys()];
  }

  pageOf(person: Person): SdkPage {
    const page = this.#where.get(person);
    assert.ok(page);
    return page;
  }

  async enter(person: Person, options: object = {}): Promise<void> {
    const page = this.pages[this.#where.size % this.pages.length];
    assert.ok(page);
    const token = await server.token({ room: this.room, publish: true, subscribe: true });
    const media = await page.makeMedia(person);
    await page.join({ name: person, url: server.url, token, room: this.room, media, options });
    this.#where.set(person, page);
  }

  async leave(person: Person): Promise<void> {
    await this.pageOf(person).leave(person);
    this.#where.delete(person);
  }

  /** Waits until `viewer` sees all of `others`, moving, each under their own name; nobody else's picture at any moment. */
  async expectToSee(viewer: Person, others: readonly Person[]): Promise<void> {
    const places = new Map<Person, Set<number>>(others.map((other) => [other, new Set()]));
    let last: readonly Tile[] = [];
    await until(
      async () => {
        last = await this.pageOf(viewer).tiles(viewer);
        checkFaces(last);
        for (const { name, isShown, picture } of last) {
          const barX = picture?.barX;
          if (isShown && barX !== null && barX !== undefined) places.get(name as Person)?.add(Math.round(barX));
        }
        return [...places.values()].every((seen) => seen.size >= 3);
      },
      { what: `${viewer} sees ${others.join(", ")}`, deadlineMs: sceneDeadlineMs, describe: () => last },
    );
  }

  /** From now on no frame that `viewer` sees may be somebody else's; asserted at the end. */
  async watchFaces(viewer: Person): Promise<() => Promise<FacesSeen>> {
    const page = this.pageOf(viewer);
    await page.watchFaces(viewer, Object.fromEntries(people.map((person) => [person, PEOPLE[person].colour])));
    return async () => {
      const faces = await page.faces(viewer);
      assert.deepEqual(faces.wrong, []);
      return faces;
    };
  }

  async expectToHear(viewer: Person, other: Person): Promise<void> {
    await until(async () => personOfTone(await this.pageOf(viewer).toneOf(viewer, other)) === other, {
      what: `${viewer} hears ${other}`,
      deadlineMs: 8_000,
      describe: () => this.pageOf(viewer).toneOf(viewer, other),
    });
  }

  async everybodySeesAndHearsEverybody(): Promise<void> {
    for (const viewer of this.people) {
      const others = this.people.filter((person) => person !== viewer);
      await this.expectToSee(viewer, others);
      for (const other of others) await this.expectToHear(viewer, other);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const person of this.people) await this.leave(person).catch(() => undefined);
    for (const page of this.pages) await page.client.page.close();
  }
}

/** A picture that is shown is that of the name under it. */
function checkFaces(tiles: readonly Tile[]): void {
  for (const { name, isShown, picture } of tiles) {
    if (!isShown || picture === null) continue;
    const person = personOfColour(picture.colour);
    assert.ok(person === undefined || person === name, `${person} is shown as ${name}`);
  }
}

for (const count of [2, 4, 6]) {
  test(`[SIG-6] ${count} people see and hear each other, each under their own name`, limit, async () => {
    await using meeting = await Meeting.open(`meeting-${count}`);
    for (const person of people.slice(0, count)) await meeting.enter(person);
    await meeting.everybodySeesAndHearsEverybody();
  });
}

test("[SIG-6] leave and come back; others see it", limit, async () => {
  await using meeting = await Meeting.open("leaving");
  await meeting.enter("anna");
  await meeting.enter("ben");
  await meeting.expectToSee("anna", ["ben"]);
  await meeting.leave("ben");
  await until(async () => (await meeting.pageOf("anna").state("anna")).names.length === 0, {
    what: "ben is gone",
    deadlineMs: 5_000,
  });
  assert.deepEqual(await meeting.pageOf("anna").tiles("anna"), []);
  await meeting.enter("ben");
  await meeting.everybodySeesAndHearsEverybody();
});

test("[SIG-6] paging: who is not looked at is not received, and names are right at every moment", limit, async () => {
  await using meeting = await Meeting.open("paging");
  await meeting.enter("anna", { initialPairs: 2 });
  for (const person of people.slice(1, 5)) await meeting.enter(person, { receive: false });
  const page = meeting.pageOf("anna");
  await meeting.expectToSee("anna", people.slice(1, 5));
  const facesSeen = await meeting.watchFaces("anna");
  const subscribed = async (): Promise<string[]> =>
    (await page.tiles("anna")).filter(({ isSubscribed }) => isSubscribed).map(({ name }) => name);
  for (const names of [["ben"], ["carla", "dan"], ["eva"], ["ben", "eva"], ["dan"], ["carla", "ben"]] as const) {
    await page.show("anna", names);
    await meeting.expectToSee("anna", names);
    await until(async () => (await subscribed()).toSorted().join() === names.toSorted().join(), {
      what: `only ${names.join(", ")} are received`,
      deadlineMs: 5_000,
    });
  }
  const { seen } = await facesSeen();
  for (const person of people.slice(1, 5)) assert.ok((seen[person]?.frames ?? 0) > 0, `${person} was drawn`);
});

test("[SIG-6] mute: others are told, and nothing is heard", limit, async () => {
  await using meeting = await Meeting.open("muting");
  await meeting.enter("anna");
  await meeting.enter("ben");
  await meeting.expectToHear("anna", "ben");
  const ben = meeting.pageOf("ben");
  await ben.room("ben", `room.localParticipant.getPublication("microphone").mute()`);
  const state = async (): Promise<boolean> =>
    (await meeting.pageOf("anna").state("anna")).publications.some(
      ({ source, muted }) => source === "microphone" && muted,
    );
  await until(state, { what: "anna knows that ben is muted", deadlineMs: 3_000 });
  await until(async () => personOfTone(await meeting.pageOf("anna").toneOf("anna", "ben")) === undefined, {
    what: "ben is silent",
    deadlineMs: 3_000,
  });
  await ben.room("ben", `room.localParticipant.getPublication("microphone").unmute()`);
  await meeting.expectToHear("anna", "ben");
});

test("[SIG-4] the server is killed with -9: pictures are back within 5 s of ready", limit, async () => {
  await using meeting = await Meeting.open("killed");
  await meeting.enter("anna");
  await meeting.enter("ben");
  await meeting.everybodySeesAndHearsEverybody();
  await server.kill9();
  await server.restart();
  const readyAtMs = performance.now();
  await meeting.expectToSee("anna", ["ben"]);
  await meeting.expectToSee("ben", ["anna"]);
  const backMs = performance.now() - readyAtMs;
  assert.ok(backMs < 5_000, `${Math.round(backMs)} ms`);
  await meeting.everybodySeesAndHearsEverybody();
});
