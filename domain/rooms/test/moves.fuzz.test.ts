import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBudget, fuzzSeed, SeededRandom } from "@parley/testing";
import { Owners } from "./owners.ts";
import { ordinary, RoomBench } from "./room-bench.ts";

const runs = 400;
const stepsPerRun = 60;
const rooms = ["room", "a", "b", "c"];
const people = ["ann", "ben", "cy"];
const hosts = ["host", "other"];

/**
 * Hosts of several rooms who all move the same few people, while those leave and come; what the owners of the rooms tell each other is late, overtakes
 * and is repeated. Nothing of it is lost, so nobody needs the time of presence: when all has arrived, everybody is where they were told to be.
 */
class Crowd {
  readonly #random: SeededRandom;
  readonly #bench: RoomBench;
  readonly #owners: Owners;
  /** Where each of them is, by what it was told. */
  readonly #places = new Map<string, string>();
  readonly #read = new Map<string, number>();
  #flying: (() => void)[] = [];
  atOnce = 0;
  moved = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#bench = new RoomBench({}, seed);
    this.#owners = new Owners(this.#bench);
    for (const roomId of rooms) for (const host of hosts) this.#bench.join(host, { roomId });
  }

  run(): void {
    for (let step = 0; step < stepsPerRun; step += 1) {
      this.#act();
      this.#launch();
      for (let count = this.#random.below(3); count > 0; count -= 1) this.#land();
      if (this.#random.chance(0.15)) this.#calm();
    }
    this.#calm();
  }

  #act(): void {
    const person = this.#random.pick(people);
    const place = this.#places.get(person);
    if (place === undefined) {
      const roomId = this.#random.pick(rooms);
      const joined = this.#bench.send(person, { case: "join", value: {} }, { roomId, grants: ordinary });
      const reply = joined.find(({ type }) => type === "reply");
      // A host has moved it there, and it has not heard that yet.
      if (reply?.type === "reply" && reply.reply.result.case === "response") this.#places.set(person, roomId);
    } else if (this.#random.chance(0.1)) {
      const answer = this.#bench.command(person, { case: "leave", value: {} }, { roomId: place, grants: ordinary });
      if (answer.ok) this.#places.delete(person);
    } else {
      this.#order(place);
      if (this.#random.chance(0.7)) this.#order(place);
    }
    this.#hear();
  }

  #order(roomId: string): void {
    const host = this.#random.pick(hosts);
    const answer = this.#bench.command(host, { case: "getSnapshot", value: {} }, { roomId });
    assert.ok(answer.ok && answer.response.result.case === "snapshot");
    const { participants } = answer.response.result.value;
    const some = participants.filter(({ userId }) => people.includes(userId) && this.#random.chance(0.7));
    if (some.length === 0) return;
    const before = this.#owners.requested.length;
    const order = this.#owners.order(
      some.map(({ participantId }) => participantId),
      this.#random.pick(rooms.filter((other) => other !== roomId)),
      { by: host, roomId },
    );
    if (this.#owners.requested.length === before && !this.#owners.answers.has(order)) this.atOnce += 1;
  }

  /** What owners have said is on its way now. */
  #launch(): void {
    const owners = this.#owners;
    for (const transfer of owners.requested.splice(0)) {
      const ask = (): void => {
        const reply = owners.take(transfer);
        this.#flying.push(() => owners.answer(transfer, reply));
      };
      this.#flying.push(ask, ...(this.#random.chance(0.1) ? [ask] : []));
      // The answer, and perhaps the question too, may come after this.
      if (this.#random.chance(0.15)) this.#flying.push(() => owners.answer(transfer, undefined));
    }
    for (const settled of owners.settlements.splice(0)) {
      this.#flying.push(() => void this.#bench.handle({ type: "transfer-settled", settled }));
    }
  }

  #land(): void {
    if (this.#flying.length === 0) return;
    const [arrives] = this.#flying.splice(this.#random.below(this.#flying.length), 1);
    arrives?.();
    this.#hear();
    this.#launch();
  }

  #calm(): void {
    while (this.#flying.length > 0) this.#land();
    for (const person of people) {
      const place = this.#places.get(person);
      assert.deepEqual(this.#seenIn(person), place === undefined ? [] : [place], person);
    }
  }

  #seenIn(person: string): string[] {
    return rooms.filter((roomId) => this.#owners.where(roomId).includes(person));
  }

  #hear(): void {
    for (const person of people) {
      const events = this.#bench.eventsOf(person);
      for (const { roomId, event } of events.slice(this.#read.get(person) ?? 0)) {
        if (event.case === "moved") {
          assert.equal(this.#places.get(person), roomId, "told in the order in which it was moved");
          this.#places.set(person, event.value.toRoomId);
          this.moved += 1;
        } else assert.notEqual(event.case, "removed", `${person} was removed from ${roomId}`);
      }
      this.#read.set(person, events.length);
    }
  }
}

test("[SIG-6] hosts of several rooms move the same people at once, and these come and go: everybody is in one room, and no other one sees them", () => {
  const goOn = fuzzBudget(runs);
  const firstSeed = fuzzSeed(1);
  let atOnce = 0;
  let moved = 0;
  let run = 0;
  for (; goOn(run); run += 1) {
    const seed = (firstSeed + run) >>> 0;
    const crowd = new Crowd(seed);
    try {
      crowd.run();
    } catch (error) {
      throw new Error(`run with FUZZ_SEED=${seed}`, { cause: error });
    }
    atOnce += crowd.atOnce;
    moved += crowd.moved;
  }
  if (run >= 50) assert.ok(atOnce > 0 && moved > 0, `${atOnce} waited for another move, ${moved} were moved`);
});
