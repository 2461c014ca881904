import assert from "node:assert/strict";
import { test } from "node:test";
import { Codec, Quality, SessionState, Source, type SessionGrant } from "@parley/protocol";
import { audioVideo, ordinary, publishing, receiving, RoomBench } from "./room-bench.ts";

const publisher = (grant: SessionGrant) => grant.receives.length > 0;
const subscriber = (grant: SessionGrant) => grant.slots.length > 0;
const error = (answer: ReturnType<RoomBench["command"]>) => (answer.ok ? "no error" : answer.error);

function pair(): { bench: RoomBench; streamId: number } {
  const bench = new RoomBench();
  bench.join("alice");
  bench.join("bob");
  const streamId = bench.publish("alice");
  bench.receive("bob");
  return { bench, streamId };
}

function bind(
  bench: RoomBench,
  bindings: { mid: string; streamId?: number; streamName?: string; trackMid?: string }[],
  who = "bob",
) {
  const answer = bench.command(who, { case: "bindSlots", value: { session: "sub", bindings } });
  assert.ok(answer.ok && answer.response.result.case === "slots");
  return answer.response.result.value.slots;
}

test("binding a slot is a new revision of the subscriber's grant, not a new offer", () => {
  const { bench, streamId } = pair();
  const before = bench.grantOf(subscriber);
  const results = bind(bench, [
    { mid: "0", streamId },
    { mid: "1", streamId },
  ]);
  assert.deepEqual(
    results.map((result) => [result.mid, result.streamId, result.error]),
    [
      ["0", streamId, undefined],
      ["1", streamId, undefined],
    ],
  );
  const after = bench.grantOf(subscriber);
  assert.equal(after.revision, before.revision + 1n);
  assert.deepEqual(
    after.slots.map(({ ssrc }) => ssrc),
    before.slots.map(({ ssrc }) => ssrc),
    "an SSRC is for life",
  );
  const { sessionId } = bench.grantOf(publisher);
  assert.deepEqual(
    after.slots.map(({ binding }) => [binding?.publisherSessionId, binding?.publisherMid, binding?.streamId]),
    [
      [sessionId, "0", streamId],
      [sessionId, "1", streamId],
    ],
  );
});

test("a slot refuses what is not there, what has not its kind, and slots that are none", () => {
  const { bench, streamId } = pair();
  const errors = bind(bench, [
    { mid: "0", streamId: 12345 },
    { mid: "9", streamId },
    { mid: "1", streamId, trackMid: "0" },
  ]);
  assert.deepEqual(
    errors.map((result) => result.error?.name),
    ["stream-not-found", "slot-not-found", "wrong-kind"],
  );
});

test("when a stream ends its slots are free, and the subscriber is told", () => {
  const { bench, streamId } = pair();
  bind(bench, [{ mid: "1", streamId }]);
  bench.command("alice", { case: "closeSession", value: { session: "pub" } });
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding, undefined);
  assert.deepEqual(
    bench
      .valuesOf("bob", "slotsChanged")
      .at(-1)
      ?.slots.map((slot) => [slot.mid, slot.streamId]),
    [["1", 0]],
  );
  assert.equal(bench.valuesOf("bob", "streamUnpublished")[0]?.streamId, streamId);
});

test("by name: bound before the stream is there, and again when it comes back", () => {
  const bench = new RoomBench();
  bench.join("bob");
  bench.receive("bob");
  bind(bench, [{ mid: "1", streamName: "camera" }]);
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding, undefined);
  bench.join("alice");
  const first = bench.publish("alice");
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding?.streamId, first);
  bench.command("alice", { case: "leave", value: {} });
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding, undefined);
  bench.join("alice 2");
  const second = bench.publish("alice 2");
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding?.streamId, second);
});

test("[SIG-5] permissions that are taken away end what they allowed, on living sessions", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice", { grants: ordinary });
  bench.join("bob", { grants: ordinary });
  const streamId = bench.publish("alice", "camera", audioVideo, { grants: ordinary });
  bench.receive("bob", audioVideo, "sub", { grants: ordinary });
  bind(bench, [{ mid: "1", streamId }]);
  const { participantId } = alice;
  const silence = { case: "setPermissions", value: { participantId, permissions: { subscribe: true } } } as const;
  bench.command("host", { case: "moderate", value: { command: silence } });
  assert.equal(bench.valuesOf("bob", "streamUnpublished")[0]?.streamId, streamId);
  assert.ok(
    bench.grantOf(publisher).receives.every(({ paused }) => paused),
    "nothing of it is forwarded",
  );
  assert.equal(bench.grantOf(subscriber).slots[1]?.binding, undefined);
  const answer = bench.command(
    "alice",
    { case: "openSession", value: publishing("x", audioVideo, "pub2") },
    { grants: ordinary },
  );
  assert.equal(error(answer), "permission-denied", "the token's old permissions do not come back");
});

test("sources are granted one by one: what may not be is refused, the rest is answered", () => {
  const bench = new RoomBench();
  const grants = { create: true, permissions: { publish: true, publishSources: [Source.MICROPHONE] } };
  bench.join("alice", { grants });
  const answer = bench.command("alice", { case: "openSession", value: publishing("camera", audioVideo) }, { grants });
  assert.ok(answer.ok && answer.response.result.case === "session");
  assert.deepEqual(
    answer.response.result.value.refused.map((one) => [one.mid, one.error?.name]),
    [["1", "permission-denied"]],
  );
  assert.deepEqual(
    bench.grantOf(publisher).receives.map(({ mid }) => mid),
    ["0"],
  );
});

test("a re-offer adds slots and keeps the old ones as they are bound", () => {
  const { bench, streamId } = pair();
  bind(bench, [{ mid: "1", streamId }]);
  const before = bench.grantOf(subscriber).slots[1];
  const more = { sections: [...audioVideo.sections, { mid: "2", kind: "video" }] } as const;
  const answer = bench.command("bob", { case: "updateSession", value: receiving(more) });
  assert.ok(answer.ok);
  const after = bench.grantOf(subscriber);
  assert.equal(after.slots.length, 3);
  assert.deepEqual([after.slots[1]?.ssrc, after.slots[1]?.binding?.streamId], [before?.ssrc, streamId]);
});

test("[MED-3] a codec the subscriber lacks: the bind fails with a number, a backup is asked for and used, then no longer wanted", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.join("bob");
  const streamId = bench.publish("alice", "camera", {
    sections: [{ mid: "1", kind: "video", codecs: [Codec.VP9, Codec.VP8] }],
  });
  bench.receive("bob", { sections: [{ mid: "1", kind: "video", codecs: [Codec.H264, Codec.VP8] }] });
  assert.equal(bind(bench, [{ mid: "1", streamId }])[0]?.error, undefined, "before the first packet anything may come");
  bench.report(bench.grantOf(publisher), {
    tracks: [{ mid: "1", live: true, codec: Codec.VP9, payloadType: Codec.VP9 + 96 }],
  });
  assert.equal(bench.valuesOf("bob", "slotsChanged").at(-1)?.slots[0]?.error?.name, "codec-not-accepted");
  assert.equal(bench.grantOf(subscriber).slots[0]?.binding, undefined);
  const [wanted] = bench.valuesOf("alice", "codecWanted");
  assert.deepEqual([wanted?.streamId, wanted?.mid, wanted?.codec, wanted?.wanted], [streamId, "1", "VP8", true]);

  const withBackup = {
    sections: [
      { mid: "1", kind: "video", codecs: [Codec.VP9, Codec.VP8] },
      { mid: "2", kind: "video", codecs: [Codec.VP8] },
    ],
  } as const;
  assert.ok(bench.command("alice", { case: "updateSession", value: publishing("camera", withBackup) }).ok);
  assert.equal(bench.grantOf(subscriber).slots[0]?.binding?.publisherMid, "2");
  assert.equal(bench.valuesOf("alice", "codecWanted").length, 1, "still wanted: nothing new to say");
  bind(bench, [{ mid: "1", streamId: 0 }]);
  assert.equal(bench.valuesOf("alice", "codecWanted").at(-1)?.wanted, false);
});

test("[MED-3] a backup that nobody here has asked for is told to be unneeded when it comes; one that somebody needs is not", () => {
  const withBackup = {
    sections: [
      { mid: "1", kind: "video", codecs: [Codec.VP9, Codec.VP8] },
      { mid: "2", kind: "video", codecs: [Codec.VP8] },
    ],
  } as const;
  for (const isNeeded of [false, true]) {
    const bench = new RoomBench();
    bench.join("alice");
    bench.join("bob");
    const request = publishing("camera", withBackup);
    const sections = request.sections.map(({ mid, use }) => ({
      mid,
      use: { ...use, value: { ...use.value, backupOf: mid === "2" ? "1" : "" } },
    }));
    const answer = bench.command("alice", { case: "openSession", value: { ...request, sections } });
    assert.ok(answer.ok && answer.response.result.case === "session");
    const streamId = answer.response.result.value.published[0]?.streamId ?? 0;
    if (isNeeded) {
      bench.receive("bob", { sections: [{ mid: "1", kind: "video", codecs: [Codec.VP8] }] });
      bind(bench, [{ mid: "1", streamId }]);
    }
    const tracks = [
      { mid: "1", live: true, codec: Codec.VP9, payloadType: Codec.VP9 + 96 },
      { mid: "2", live: true, codec: Codec.VP8, payloadType: Codec.VP8 + 96 },
    ];
    for (let second = 0; second < 3; second += 1) bench.report(bench.grantOf(publisher), { tracks });
    const told = bench.valuesOf("alice", "codecWanted").map(({ mid, codec, wanted }) => `${mid} ${codec} ${wanted}`);
    assert.deepEqual(told, isNeeded ? ["1 VP8 true"] : ["1 VP8 false"]);
  }
});

test("muting pauses the track at the node, by its owner or by a host; nobody is unmuted by others", () => {
  const bench = new RoomBench();
  bench.join("host");
  const alice = bench.join("alice", { grants: ordinary });
  const streamId = bench.publish("alice", "camera", audioVideo, { grants: ordinary });
  const paused = () => bench.grantOf(publisher).receives.map((receive) => receive.paused);
  bench.command("alice", { case: "setTrackMuted", value: { streamId, mid: "1", muted: true } });
  assert.deepEqual(paused(), [false, true]);
  bench.command("host", { case: "moderate", value: { command: { case: "muteTrack", value: { allAudio: true } } } });
  assert.deepEqual(paused(), [true, true]);
  assert.equal(bench.valuesOf("alice", "mutedByHost")[0]?.mid, "0");
  const unmute = { case: "setTrackMuted", value: { streamId, mid: "0", muted: false } } as const;
  assert.equal(error(bench.command("host", unmute)), "permission-denied");
  const ask = { case: "askToUnmute", value: { participantId: alice.participantId, source: 2 } } as const;
  bench.command("host", { case: "moderate", value: { command: ask } });
  assert.equal(bench.valuesOf("alice", "unmuteAsked").length, 1);
  assert.ok(bench.command("alice", unmute, { grants: ordinary }).ok);
  assert.deepEqual(paused(), [false, true]);
});

test("a lost node: its sessions are lost, streams keep their ids for who comes back, then end", () => {
  const { bench, streamId } = pair();
  bind(bench, [{ mid: "1", streamId }]);
  bench.negotiator.node = { nodeId: "node", bootId: 2n };
  bench.handle({ type: "node-lost", nodeId: "node", bootId: 1n });
  for (const who of ["alice", "bob"]) {
    assert.equal(bench.valuesOf(who, "sessionState").at(-1)?.error?.name, "session-lost");
  }
  assert.equal(bench.valuesOf("bob", "streamUnpublished").length, 0);
  assert.equal(bench.publish("alice"), streamId);
  bench.receive("bob");
  bind(bench, [{ mid: "1", streamId }]);
  assert.equal(
    bench.grantOf((grant) => subscriber(grant) && grant.nodeBootId === 2n).slots[1]?.binding?.streamId,
    streamId,
  );

  bench.report(
    bench.grantOf((grant) => publisher(grant) && grant.nodeBootId === 2n),
    { state: SessionState.FAILED },
  );
  bench.advance(11_000);
  assert.equal(bench.valuesOf("bob", "streamUnpublished")[0]?.streamId, streamId);
});

test("[SIG-4] a session whose client never says that it is over ends with its consent, its streams 10 s later", () => {
  const { bench, streamId } = pair();
  const grant = bench.grantOf(publisher);
  bench.report(grant);
  // Her connection lives on and is announced; only the PeerConnection is gone.
  bench.report(grant, { state: SessionState.FAILED });
  assert.ok(bench.grants.get(grant.sessionId)?.closed, "the node is told to free it");
  assert.deepEqual(
    bench.valuesOf("bob", "streamUpdated").at(-1)?.stream?.tracks,
    [],
    "nobody is shown a frozen picture",
  );
  bench.advance(9_900);
  assert.equal(bench.valuesOf("bob", "streamUnpublished").length, 0);
  bench.advance(200);
  assert.equal(bench.valuesOf("bob", "streamUnpublished")[0]?.streamId, streamId);
  assert.equal(bench.valuesOf("bob", "participantLeft").length, 0);
});

test("a session that is opened again under its name replaces the old one, and what it no longer publishes ends at once", () => {
  const { bench, streamId } = pair();
  const [old] = [...bench.grants.values()].filter(publisher);
  assert.equal(bench.publish("alice", "camera"), streamId);
  assert.ok(bench.grants.get(old?.sessionId ?? "")?.closed);
  assert.notEqual(bench.publish("alice", "screen"), streamId);
  assert.deepEqual(
    bench.valuesOf("bob", "streamUnpublished").map((event) => event.streamId),
    [streamId],
  );
});

test("offers that cannot be are refused whole, and change nothing", () => {
  const bench = new RoomBench({ maxStreamsPerParticipant: 1, maxSlotsPerSession: 2, maxSessionsPerParticipant: 2 });
  bench.join("alice");
  bench.publish("alice");
  const before = bench.grants.size;
  const refuse = (value: ReturnType<typeof publishing> | ReturnType<typeof receiving>) =>
    error(bench.command("alice", { case: "openSession", value }));
  assert.equal(refuse(publishing("second", audioVideo, "other")), "too-many-streams");
  assert.equal(refuse({ ...publishing("camera", audioVideo), offerSdp: "garbage" }), "sdp-malformed");
  assert.equal(refuse({ ...publishing("camera", audioVideo), sections: [] }), "section-not-found");
  assert.equal(refuse({ ...publishing("camera", audioVideo), session: "" }), "bad-request");
  assert.equal(bench.grants.size, before);
  bench.negotiator.node = undefined;
  assert.equal(refuse(publishing("camera", audioVideo)), "no-media-node");
  assert.ok(!bench.grantOf(publisher).closed, "the session that was there lives on");
});

test("grants are repeated each second until they are acknowledged, then named every 10 s", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.publish("alice");
  const grants = () => bench.outputs.flatMap((output) => (output.type === "grant" ? [output.grant] : []));
  const standing = () => bench.outputs.flatMap((output) => (output.type === "standing-grants" ? [output] : []));
  bench.advance(3_050);
  assert.equal(grants().length, 4);
  assert.equal(standing().length, 0);
  const { appId, roomId, sessionId, revision, nodeBootId } = bench.grantOf(publisher);
  bench.report(bench.grantOf(publisher));
  bench.advance(9_000);
  assert.equal(standing().length, 0);
  bench.advance(2_000);
  const named = { type: "standing-grants", nodeId: "node", nodeBootId };
  assert.deepEqual(standing(), [{ ...named, rooms: [{ appId, roomId, sessions: [{ sessionId, revision }] }] }]);
  assert.equal(grants().length, 4, "the node has the rest");
  bench.report(bench.grantOf(publisher), { acknowledgedRevision: 0n });
  bench.advance(500);
  assert.equal(grants().length, 5, "a node that has lost it is told soon");
  assert.deepEqual(grants().at(-1), bench.grantOf(publisher), "and all of it");
});

test("many sessions are named together, each at least every 10 s", () => {
  const bench = new RoomBench();
  const names = Array.from({ length: 30 }, (_, index) => `member-${index}`);
  for (const name of names) {
    const before = new Set(bench.grants.keys());
    bench.join(name);
    bench.publish(name);
    bench.report(bench.grantOf(({ sessionId }) => !before.has(sessionId)));
    bench.advance(100);
  }
  const from = bench.outputs.length;
  bench.advance(60_000);
  const messages = bench.outputs.slice(from).flatMap((output) => (output.type === "standing-grants" ? [output] : []));
  assert.ok(messages.length <= 30, `${messages.length} messages in a minute`);
  const counts = new Map<string, number>();
  for (const { sessionId } of messages.flatMap(({ rooms }) => rooms.flatMap(({ sessions }) => sessions))) {
    counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
  }
  assert.equal(counts.size, names.length);
  for (const count of counts.values()) assert.ok(count === 6 || count === 7, `${count} times in a minute`);
});

test("a node that knows a ufrag not yet granted gets the grant by it", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.publish("alice");
  const grant = bench.grantOf(publisher);
  assert.equal(bench.host.grantByUfrag(grant.ice?.localUfrag ?? "")?.sessionId, grant.sessionId);
  const answer = bench.command("alice", {
    case: "restartIce",
    value: { session: "pub", iceUfrag: "newu", icePassword: "password".repeat(3) },
  });
  assert.ok(answer.ok && answer.response.result.case === "iceRestarted");
  assert.equal(bench.host.grantByUfrag(answer.response.result.value.iceUfrag)?.sessionId, grant.sessionId);
  bench.command("alice", { case: "leave", value: {} });
  assert.equal(bench.host.grantByUfrag(answer.response.result.value.iceUfrag), undefined);
});

test("who comes later is told how everybody is connected, once", () => {
  const { bench } = pair();
  const report = (): void => {
    bench.report(bench.grantOf(publisher), { rttMs: 20, tracks: [{ mid: "1", live: true, lossRatio: 0.2 }] });
    bench.advance(2_000);
  };
  report();
  bench.join("carol");
  report();
  const told = (): (Quality | undefined)[] =>
    bench.valuesOf("carol", "qualityChanged").flatMap(({ qualities }) => qualities.map(({ quality }) => quality));
  assert.deepEqual(told(), [Quality.POOR]);
  report();
  assert.deepEqual(told(), [Quality.POOR]);
});

test("how packets to a client fare is told by its transport-wide feedback where there is any, else by its receiver reports", () => {
  const { bench } = pair();
  const last = () =>
    bench
      .valuesOf("bob", "qualityChanged")
      .at(-1)
      ?.qualities.map(({ quality }) => quality);
  const report = (slotLoss: number, delivery?: { bitrateBps: number; lossRatio: number }) => {
    const slots = [{ mid: "1", lossRatio: slotLoss }];
    bench.report(bench.grantOf(publisher), { rttMs: 20, slots, ...(delivery && { delivery }) });
    bench.advance(2_000);
    return last();
  };
  assert.deepEqual(report(0.2), [Quality.POOR]);
  assert.deepEqual(report(0.2, { bitrateBps: 500_000, lossRatio: 0 }), [Quality.GOOD], "a report of long ago");
  assert.deepEqual(report(0, { bitrateBps: 500_000, lossRatio: 0.04 }), [Quality.FAIR]);
  assert.deepEqual(report(0.2, { bitrateBps: 0, lossRatio: 0 }), [Quality.POOR], "no feedback of late");
});

test("whose connection becomes worse is told, and whose node says nothing any more", () => {
  const { bench } = pair();
  const last = () =>
    bench
      .valuesOf("bob", "qualityChanged")
      .at(-1)
      ?.qualities.map(({ quality }) => quality);
  const report = (lossRatio: number, rttMs: number, silent = false) => {
    bench.report(bench.grantOf(publisher), { rttMs, silent, tracks: [{ mid: "1", live: true, lossRatio }] });
    bench.advance(2_000);
  };
  report(0, 20);
  assert.deepEqual(last(), [Quality.GOOD]);
  report(0.05, 20);
  assert.deepEqual(last(), [Quality.FAIR]);
  report(0, 900);
  assert.deepEqual(last(), [Quality.POOR]);
  const told = bench.valuesOf("bob", "qualityChanged").length;
  report(0, 900);
  assert.equal(bench.valuesOf("bob", "qualityChanged").length, told, "the same is not told again");
  bench.advance(60_000);
  assert.deepEqual(last(), [Quality.POOR], "a node that says nothing has seen nothing new");
  report(0, 20, true);
  assert.deepEqual(last(), [Quality.LOST]);
  report(0, 20);
  assert.deepEqual(last(), [Quality.GOOD]);
});
