import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionGrant } from "@parley/protocol";
import { fuzzBudget, fuzzSeed, SeededRandom } from "@parley/testing";
import { audioVideo, RoomBench } from "./room-bench.ts";

const sections = [
  { mid: "a0", kind: "audio" },
  { mid: "v0", kind: "video" },
  { mid: "a1", kind: "audio" },
  { mid: "a2", kind: "audio" },
] as const;

/** Five people who publish, and one who watches with three audio slots and one picture. */
function classroom() {
  const bench = new RoomBench();
  const streams = [..."abcde"].map((who) => {
    bench.join(who);
    return bench.publish(who);
  });
  bench.join("watcher");
  bench.receive("watcher", { sections: [...sections] });
  const policy = { enabled: true, mids: ["a0", "a1", "a2"] };
  bench.command("watcher", { case: "bindSlots", value: { session: "sub", speakers: policy } });
  const watcher = () => bench.grantOf((grant: SessionGrant) => grant.slots.length > 0);
  const heard = () =>
    watcher()
      .slots.filter(({ mid }) => mid.startsWith("a"))
      .map(({ binding }) => streams.indexOf(binding?.streamId ?? 0));
  const speak = (levels: Readonly<Record<number, number>>) => {
    for (const [index, audioLevel] of Object.entries(levels)) {
      const streamId = streams[Number(index)];
      const grant = bench.grantOf(({ receives }) => receives.some((receive) => receive.streamId === streamId));
      bench.report(grant, {
        tracks: [
          { mid: "0", live: true, audioLevel },
          { mid: "1", live: true },
        ],
      });
    }
  };
  return { bench, streams, heard, speak, watcher };
}

test("[SIG-5] free audio slots are filled; a louder speaker takes the quietest one's slot", () => {
  const { bench, heard, speak } = classroom();
  assert.deepEqual(heard(), [0, 1, 2]);
  speak({ 0: 100, 1: 60, 2: 95, 3: 100 });
  bench.advance(3_000);
  assert.deepEqual(heard(), [0, 3, 2]);
});

test("slots do not flicker: a speaker has its time, and a little louder is not enough", () => {
  const { bench, heard, speak } = classroom();
  speak({ 0: 95, 1: 94, 2: 93, 3: 99 });
  bench.advance(5_000);
  assert.deepEqual(heard(), [0, 1, 2], "6 dB more is within the margin");
  speak({ 3: 110 });
  bench.advance(600);
  assert.deepEqual(heard(), [0, 1, 3]);
  speak({ 4: 120 });
  bench.advance(600);
  assert.deepEqual(heard(), [0, 4, 3], "the one who just came keeps its slot");
});

test("[SIG-5] who begins to speak has a slot at once, and whoever was silent longest gives it", () => {
  const { bench, streams, heard } = classroom();
  const say = (levels: Readonly<Record<number, number>>) =>
    bench.levels(
      Object.fromEntries(Object.entries(levels).map(([index, level]) => [streams[Number(index)] ?? 0, level])),
    );
  bench.advance(100);
  say({ 0: 95 });
  bench.advance(100);
  say({ 0: 40, 2: 95 });
  bench.advance(2_000);
  say({ 0: 40, 2: 40, 3: 100 });
  assert.deepEqual(heard(), [0, 3, 2], "1 never spoke; no tick had to pass");
  say({ 4: 84 });
  assert.deepEqual(heard(), [4, 3, 2], "0 spoke before 2 did, and 3 has just begun");
  assert.equal(
    bench.valuesOf("watcher", "streamUpdated").filter(({ stream }) => stream?.streamId === streams[4]).length,
    1,
    "a level is a sign of life",
  );
});

test("[SIG-5] a pause between sentences costs no slot, and muting ends speech at once", () => {
  const { bench, streams, heard } = classroom();
  const say = (index: number, level: number) => bench.levels({ [streams[index] ?? 0]: level });
  for (const index of [0, 1, 2]) say(index, 95);
  bench.advance(3_000);
  say(1, 30);
  bench.advance(600);
  say(3, 95);
  assert.deepEqual(heard(), [0, 1, 2], "all three are still speaking, and 3 is no louder");
  say(1, 95);
  bench.advance(100);
  assert.deepEqual(heard(), [0, 1, 2]);
  say(1, 0);
  assert.deepEqual(heard(), [0, 3, 2]);
});

test("[SIG-5] however they take turns: as long as no more speak than there are slots, each of them is heard", () => {
  const random = new SeededRandom(fuzzSeed(21));
  const goOn = fuzzBudget(15);
  for (let run = 0; goOn(run); run += 1) {
    const { bench, streams, heard } = classroom();
    let switches = 0;
    const until = streams.map(() => 0);
    for (let step = 0; step < 300; step += 1) {
      // Up to two begin while a third may be in a pause that still counts as speech.
      const speaking = until.filter((endMs) => endMs + 700 > bench.nowMs).length;
      if (speaking < 3 && random.chance(0.3)) {
        until[random.below(streams.length)] = bench.nowMs + 200 + random.below(3_000);
      }
      const levels = until.map((endMs) => (endMs > bench.nowMs ? 84 + random.below(30) : random.below(70)));
      const before = heard().join(" ");
      bench.levels(Object.fromEntries(streams.map((streamId, index) => [streamId, levels[index] ?? 0])));
      if (heard().join(" ") !== before) switches += 1;
      for (const [index, endMs] of until.entries()) {
        if (endMs > bench.nowMs) assert.ok(heard().includes(index), `seed ${random.seed}: ${index} at step ${step}`);
      }
      assert.equal(new Set(heard()).size, 3);
      bench.advance(100);
    }
    assert.ok(switches > 5, `it was a conversation: ${switches}`);
  }
});

test("the sound of a picture is in the picture's pair, and nowhere else", () => {
  const { bench, streams, heard, speak } = classroom();
  speak({ 0: 100, 1: 100, 2: 100 });
  bench.command("watcher", {
    case: "bindSlots",
    value: { session: "sub", bindings: [{ mid: "v0", streamId: streams[2] ?? 0 }] },
  });
  assert.equal(heard()[0], 2);
  assert.equal(new Set(heard()).size, 3, "nobody is heard twice");
  bench.command("watcher", {
    case: "bindSlots",
    value: { session: "sub", bindings: [{ mid: "v0", streamId: streams[4] ?? 0 }] },
  });
  assert.equal(heard()[0], 4);
});

test("nobody hears themselves; who leaves makes room", () => {
  const { bench, streams, heard } = classroom();
  bench.publish("watcher", "own", audioVideo);
  bench.command("a", { case: "leave", value: {} });
  bench.advance(600);
  assert.ok(
    heard().every((index) => index > 0 && index < streams.length),
    String(heard()),
  );
});

test("who speaks is told, loudest first, once per change", () => {
  const { bench, streams, speak } = classroom();
  speak({ 0: 90, 1: 105 });
  bench.advance(1_000);
  const last = () =>
    bench
      .valuesOf("watcher", "speakersChanged")
      .at(-1)
      ?.speakers.map(({ streamId }) => streamId);
  assert.deepEqual(last(), [streams[1], streams[0]]);
  const told = () => new Set(bench.valuesOf("watcher", "speakersChanged").map(({ revision }) => revision)).size;
  const before = told();
  speak({ 0: 79 });
  bench.advance(2_000);
  assert.equal(told(), before, "a pause between words is no change");
  speak({ 0: 50 });
  bench.advance(1_000);
  assert.deepEqual(last(), [streams[1]]);
  bench.command("b", { case: "setTrackMuted", value: { streamId: streams[1] ?? 0, mid: "0", muted: true } });
  bench.advance(1_000);
  assert.deepEqual(last(), []);
});

test("[SIG-6] who speaks has a revision, comes twice again after the last change, and with every snapshot", () => {
  const { bench, speak } = classroom();
  const first = snapshotOf(bench, "watcher").speakers;
  assert.deepEqual(first?.speakers, []);
  speak({ 0: 90 });
  bench.advance(1_000);
  const [told] = bench.valuesOf("watcher", "speakersChanged");
  assert.ok(told !== undefined && told.revision > first.revision);
  assert.deepEqual(snapshotOf(bench, "watcher").speakers, told);
  bench.eventsOf("watcher").length = 0;
  for (const againAfterMs of [1_000, 6_000]) {
    bench.advance(againAfterMs - 200);
    assert.equal(bench.valuesOf("watcher", "speakersChanged").length, 0);
    bench.advance(400);
    assert.deepEqual(bench.valuesOf("watcher", "speakersChanged"), [told], `again after ${againAfterMs} ms more`);
    bench.eventsOf("watcher").length = 0;
  }
  bench.advance(60_000);
  assert.equal(bench.valuesOf("watcher", "speakersChanged").length, 0, "not for ever");
  speak({ 0: 0 });
  bench.advance(300);
  assert.deepEqual(
    bench.valuesOf("watcher", "speakersChanged").map(({ revision, speakers }) => [revision, speakers.length]),
    [[told.revision + 1n, 0]],
  );
  const kept = bench.outputs.filter(
    (output) => output.type === "event" && output.event.event.case === "speakersChanged",
  );
  assert.ok(kept.every((output) => output.type === "event" && output.lossy && output.newestOf === "speakers room"));
});

function snapshotOf(bench: RoomBench, who: string) {
  const answer = bench.command(who, { case: "getSnapshot", value: {} });
  assert.ok(answer.ok && answer.response.result.case === "snapshot");
  return answer.response.result.value;
}
