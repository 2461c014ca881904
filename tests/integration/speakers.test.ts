import assert from "node:assert/strict";
import { loadavg } from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { mintToken } from "@parley/domain-access";
import { startParley, until, type ParleyProcess } from "@parley/testing";
import { HostileClient as RoomClient } from "../hostile-client.ts";
import { SoundPeer } from "../sound-peer.ts";

/** The app of `--dev`. */
const app = { key: "dev", secret: "development-secret-not-for-production" };
const limit = { timeout: 60_000 };
/** Levels as RFC 6464 has them, -dBov: speech near a microphone, and a quiet room. */
const speech = 30;
const quiet = 80;
const people = 5;
const slots = 2;
/** From the first loud packet to the first of them at a listener: usually within 300 ms, on a machine that has nothing else to do. */
const latestMs = 1_000;
const usualMs = 350;

let parley: ParleyProcess;
before(async () => {
  parley = await startParley();
});
after(async () => {
  await parley.stop();
  await SoundPeer.cleanUp();
});

function token(sub: string): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  return mintToken({ iss: app.key, sub, exp, room: "room", publish: true, subscribe: true }, app.secret);
}

/** People of a room by WHIP, and a listener with fewer audio slots than they are. */
async function meeting(stop: (() => unknown)[]) {
  const speakers = await Promise.all(
    Array.from({ length: people }, async (_, index) => {
      const peer = SoundPeer.speaker(quiet);
      stop.push(() => peer.close());
      const response = await fetch(parley.whipUrl("room", `s${index}`), {
        method: "POST",
        headers: { authorization: `Bearer ${token(`p${index}`)}`, "content-type": "application/sdp" },
        body: await peer.offer(),
      });
      const answer = await response.text();
      assert.equal(response.status, 201, answer);
      peer.answered(answer);
      return peer;
    }),
  );
  const client = await RoomClient.knock(parley.url, token("listener"));
  stop.push(() => client.end());
  const listener = SoundPeer.listener(slots);
  stop.push(() => listener.close());
  const mids = Array.from({ length: slots }, (_, index) => String(index));
  const session = {
    session: "sub",
    offerSdp: await listener.offer(),
    sections: mids.map((mid, pair) => ({ mid, use: { case: "receive" as const, value: { pair } } })),
  };
  const joined = (await client.request("room", { case: "join", value: { sessions: [session] } })).response?.result;
  assert.ok(joined?.case === "joined");
  listener.answered(joined.value.sessions[0]?.answerSdp ?? "");
  const bound = await client.request("room", {
    case: "bindSlots",
    value: { session: "sub", speakers: { enabled: true, mids } },
  });
  assert.equal(bound.number, 0);
  const streams = joined.value.snapshot?.streams ?? [];
  const idOf = (index: number): number => streams.find(({ name }) => name === `s${index}`)?.streamId ?? 0;
  return { speakers, listener, client, ids: speakers.map((_, index) => idOf(index)) };
}

test(
  "[SIG-5] speakers who take turns are each heard through two audio slots, and the silent make room",
  limit,
  async (t) => {
    const stop: (() => unknown)[] = [];
    try {
      const { speakers, listener, client, ids } = await meeting(stop);
      assert.ok(ids.every((id) => id !== 0));
      await until(() => ids.filter((id) => listener.heardSince(id, 0) !== undefined).length >= slots, {
        what: "free slots carry whoever is there",
        deadlineMs: 10_000,
      });
      const waits: number[] = [];
      const hears = async (who: number): Promise<void> => {
        const beganMs = performance.now();
        speakers[who]?.say(speech);
        const at = await until(() => listener.heardSince(ids[who] ?? 0, beganMs), {
          what: `speaker ${who} is heard`,
          deadlineMs: latestMs + 2_000,
          intervalMs: 5,
        });
        waits.push(Math.round(at - beganMs));
      };
      // Each takes a turn of its own, then two speak at once, whose turns overlap by half.
      for (const who of [2, 3, 4, 0, 1]) {
        await hears(who);
        await wait(300);
        speakers[who]?.say(quiet);
        await wait(1_000);
      }
      for (const [one, other] of [
        [0, 3],
        [2, 4],
        [1, 3],
      ] as const) {
        await Promise.all([hears(one), hears(other)]);
        await wait(600);
        // Neither takes the slot of the other while both speak.
        const sinceMs = performance.now() - 300;
        for (const who of [one, other])
          assert.ok(listener.heardSince(ids[who] ?? 0, sinceMs) !== undefined, `${who} is heard beside the other`);
        for (const who of [one, other]) speakers[who]?.say(quiet);
        await wait(1_000);
      }
      const about = `${waits.join(", ")} ms; load ${loadavg()
        .map((value) => value.toFixed(1))
        .join(" ")}`;
      t.diagnostic(about);
      assert.ok(Math.max(...waits) < latestMs, `somebody was heard too late: ${about}`);
      assert.ok((waits.toSorted((a, b) => a - b)[Math.floor(waits.length / 2)] ?? 0) < usualMs, about);
      const told = client.events.filter(({ event }) => event.case === "speakersChanged").length;
      assert.ok(told >= people, `who speaks was told ${told} times`);
    } finally {
      for (const one of stop.toReversed()) one();
    }
  },
);
