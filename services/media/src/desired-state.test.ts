import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MediaKind } from "@parley/protocol";
import { SeededRandom, fuzzBudget, fuzzSeed } from "@parley/testing";
import { type GrantInit, World, av1, opus, vp8 } from "./test/world.ts";

const SESSIONS = ["a", "b", "c", "d"];
const MIDS = ["1", "2", "3"];

interface Wish {
  revision: bigint;
  closed: boolean;
  /** Track mid to stream id, SSRC and payload type. */
  tracks: Map<string, { readonly streamId: number; readonly ssrc: number; readonly payloadType: number }>;
  /** Slot mid to the track it is bound to. */
  slots: Map<string, { readonly sessionId: string; readonly mid: string } | undefined>;
}

/** The simple model: what signaling wants of each session. */
class Wishes {
  readonly bySession = new Map<string, Wish>();
  readonly #random: SeededRandom;
  /** A session that was closed never comes back: its successor has another id. */
  #generation = 0;
  readonly #ids = new Map<string, string>();

  constructor(random: SeededRandom) {
    this.#random = random;
    for (const name of SESSIONS) this.#begin(name);
  }

  #begin(name: string): void {
    this.#generation += 1;
    const id = `${name}${this.#generation}`;
    this.#ids.set(name, id);
    this.bySession.set(id, { revision: 0n, closed: false, tracks: new Map(), slots: new Map() });
  }

  /** Changes something; returns the id of the session whose grant is new. */
  change(): string {
    const name = this.#random.pick(SESSIONS);
    const id = this.#ids.get(name) ?? "";
    const wish = this.bySession.get(id);
    assert.ok(wish);
    wish.revision += 1n;
    const mid = this.#random.pick(MIDS);
    switch (this.#random.below(8)) {
      case 0:
        wish.closed = true;
        this.#begin(name);
        break;
      case 1:
        wish.tracks.delete(mid);
        break;
      case 2:
      case 3: {
        const payloadType = this.#random.chance(0.8) ? 96 : 45;
        wish.tracks.set(mid, { streamId: 1 + this.#random.below(5), ssrc: 1 + this.#random.below(3), payloadType });
        break;
      }
      case 4:
        wish.slots.delete(`s${mid}`);
        break;
      case 5:
        wish.slots.set(`s${mid}`, undefined);
        break;
      default:
        wish.slots.set(`s${mid}`, {
          sessionId: this.#ids.get(this.#random.pick(SESSIONS)) ?? "",
          mid: this.#random.pick(MIDS),
        });
    }
    return id;
  }

  grantOf(sessionId: string): GrantInit {
    const wish = this.bySession.get(sessionId);
    assert.ok(wish);
    const slots = [...wish.slots].map(([mid, bound]) => {
      const base = {
        mid,
        kind: MediaKind.VIDEO,
        ssrc: Number(mid.slice(1)) * 10,
        rtxSsrc: 0,
        // Viewers have no AV1.
        payloadTypes: [96],
      };
      if (bound === undefined) return base;
      return { ...base, binding: { publisherSessionId: bound.sessionId, publisherMid: bound.mid, streamId: 1 } };
    });
    const receives = [...wish.tracks].map(([mid, { streamId, ssrc, payloadType }]) => ({
      mid,
      kind: MediaKind.VIDEO,
      streamId,
      payloadTypes: [payloadType],
      encodings: [{ ssrc, rtxSsrc: 0, rid: "" }],
    }));
    const { revision, closed } = wish;
    return { sessionId, revision, closed, codecs: [vp8, av1, opus], slots, receives };
  }
}

/** Whether the data plane is what the model wants. */
function check(world: World, wishes: Wishes, hint: string): void {
  for (const [sessionId, wish] of wishes.bySession) {
    const peers = [...world.plane.peers.values()].filter(({ ice }) => ice.localUfrag === `${sessionId}-local`);
    if (wish.closed || wish.revision === 0n) {
      assert.equal(peers.length, 0, `${hint}: ${sessionId} is closed`);
      continue;
    }
    assert.equal(peers.length, 1, `${hint}: ${sessionId} has one peer`);
    const handle = peers[0]?.handle;
    const tracks = [...world.plane.tracks.values()].filter(({ peer }) => peer === handle);
    const slots = [...world.plane.slots.values()].filter(({ peer }) => peer === handle);
    assert.deepEqual(
      tracks.map(({ options }) => options.mid).sort(),
      [...wish.tracks.keys()].sort(),
      `${hint}: tracks`,
    );
    assert.deepEqual(slots.map(({ options }) => options.mid).sort(), [...wish.slots.keys()].sort(), `${hint}: slots`);
    for (const { options } of tracks) {
      const wanted = wish.tracks.get(options.mid);
      assert.equal(options.streamId, wanted?.streamId, hint);
      assert.equal(options.encodings[0]?.ssrc, wanted?.ssrc, hint);
      assert.deepEqual(options.payloadTypes, [wanted?.payloadType], hint);
    }
    for (const slot of slots) {
      const bound = wish.slots.get(slot.options.mid);
      const publisher = bound && wishes.bySession.get(bound.sessionId);
      const wanted = publisher?.closed === false ? publisher.tracks.get(bound?.mid ?? "") : undefined;
      const expected = wanted?.payloadType === 96 && bound ? world.track(bound.sessionId, bound.mid).handle : undefined;
      assert.equal(slot.track, expected, `${hint}: ${sessionId} slot ${slot.options.mid}`);
    }
  }
}

describe("desired state", () => {
  it("whatever is lost, late or repeated on the bus, in the end the plane is as signaling wants it", async () => {
    const random = new SeededRandom(fuzzSeed(11));
    const goesOn = fuzzBudget(60);
    for (let round = 0; goesOn(round); round += 1) {
      const world = new World();
      const wishes = new Wishes(random);
      const underWay: GrantInit[] = [];
      for (let step = 0; step < 40; step += 1) {
        const grant = wishes.grantOf(wishes.change());
        if (!random.chance(0.3)) underWay.push(grant);
        if (random.chance(0.2)) underWay.push(grant);
        const delivered = random.shuffle(underWay).slice(0, random.below(underWay.length + 1));
        for (const each of delivered) {
          underWay.splice(underWay.indexOf(each), 1);
          await world.grant(each);
        }
      }
      // Signaling repeats until it is acknowledged.
      for (const sessionId of random.shuffle([...wishes.bySession.keys()])) {
        if (wishes.bySession.get(sessionId)?.revision !== 0n) await world.grant(wishes.grantOf(sessionId));
      }
      for (const late of underWay) await world.grant(late);
      await world.soon();
      check(world, wishes, `seed ${random.seed}, round ${round}`);
      assert.equal(world.plane.staleCommands, 0, `seed ${random.seed}, round ${round}: stale commands`);
      for (const [sessionId, { revision }] of wishes.bySession) {
        if (revision !== 0n) assert.equal(world.status(sessionId).acknowledgedRevision, revision);
      }
      world.close();
    }
  });
});
