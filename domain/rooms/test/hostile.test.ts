import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRoomLimits } from "../src/index.ts";
import { audioVideo, everything, ordinary, publishing, receiving, RoomBench, type Method } from "./room-bench.ts";

// Participants with good tokens who mean harm.

const error = (answer: ReturnType<RoomBench["command"]>) => (answer.ok ? "no error" : answer.error);

test("a host of one room reaches into no other: neither one that is there nor one that is not there yet", () => {
  const bench = new RoomBench();
  bench.join("boss", { roomId: "board" });
  bench.command("boss", { case: "updateRoom", value: { locked: true, lobbyEnabled: true } }, { roomId: "board" });
  const grants = { ...everything, roomId: "room" };
  const host = bench.join("host", { grants });
  const move = (toRoomId: string, requestId: number) => {
    const value = { participantIds: [host.participantId], toRoomId };
    const method: Method = { case: "moderate", value: { command: { case: "move", value } } };
    return bench.command("host", method, { requestId, grants });
  };
  assert.equal(error(move("board", 901)), "wrong-room");
  assert.equal(error(move("roommate", 902)), "wrong-room");
  assert.equal(error(move("later", 903)), "wrong-room");
  assert.equal(bench.outputs.filter(({ type }) => type === "transfer-request").length, 0);
  assert.throws(() => move("room/group 1", 904), /no reply/, "a room below its own: the other owner is asked");
});

test("nobody is seen or heard without being listed: who joined as a viewer over WHEP publishes nothing", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.join("lurker", { grants: ordinary, join: { leaveWithSession: true } });
  assert.equal(bench.valuesOf("alice", "participantJoined").length, 0);
  const value = publishing("camera", audioVideo);
  assert.equal(
    error(bench.command("lurker", { case: "openSession", value }, { grants: ordinary })),
    "permission-denied",
  );
  assert.equal(bench.valuesOf("alice", "streamPublished").length, 0);
});

test("bindings: their number and their names are bounded, as they travel with every grant", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.receive("alice");
  const bind = (bindings: object[]) =>
    bench.command("alice", { case: "bindSlots", value: { session: "sub", bindings } });
  const many = Array.from({ length: 10_000 }, (_, index) => ({ mid: String(index), streamId: 1 }));
  assert.equal(error(bind(many)), "too-many-slots");
  assert.equal(error(bind([{ mid: "0", streamName: "x".repeat(100_000) }])), "bad-id");
  assert.equal(error(bind([{ mid: "0", streamName: "a\0b" }])), "bad-id");
  assert.equal(error(bind([{ mid: "0", streamId: 1, trackMid: "x".repeat(100_000) }])), "bad-id");
  const sections = Array.from({ length: 10_000 }, (_, index) => ({ mid: String(index), use: receiveUse }));
  const open = { ...receiving(audioVideo), session: "other" };
  assert.equal(
    error(bench.command("alice", { case: "openSession", value: { ...open, sections } })),
    "too-many-media-sections",
  );
  assert.equal(
    error(bench.command("alice", { case: "openSession", value: { ...open, bindings: many } })),
    "too-many-slots",
  );
});

const receiveUse = { case: "receive" as const, value: { pair: 0 } };

test("attributes of a stream do not grow from offer to offer", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.publish("alice");
  const attempts = Array.from({ length: 5 }, (_, index) => {
    const value = publishing("camera", audioVideo);
    for (const { use } of value.sections) {
      Object.assign(use.value, {
        streamAttributes: { [`key ${index}`]: "x".repeat(defaultRoomLimits.maxAttributesBytes / 2) },
      });
    }
    return error(bench.command("alice", { case: "updateSession", value }));
  });
  assert.deepEqual(attempts, ["no error", ...Array<string>(4).fill("attributes-too-large")]);
});

test("ICE credentials that no client has are refused", () => {
  const bench = new RoomBench();
  bench.join("alice");
  bench.publish("alice");
  const restart = (iceUfrag: string, icePassword: string) =>
    error(bench.command("alice", { case: "restartIce", value: { session: "pub", iceUfrag, icePassword } }));
  assert.equal(restart("x".repeat(100_000), "password".repeat(3)), "bad-request");
  assert.equal(restart("ufrag", "x".repeat(100_000)), "bad-request");
  assert.equal(restart("a:b:c", "password".repeat(3)), "bad-request");
  assert.equal(restart("", ""), "bad-request");
  assert.equal(restart("ufrag", "password".repeat(3)), "no error");
});

test("a token for another room does not extend the stay in this one", () => {
  const bench = new RoomBench();
  const untilMs = (afterMs: number) => BigInt(bench.nowMs + afterMs);
  const grants = { ...ordinary, roomId: "room", expiresAtUnixMs: untilMs(5_000) };
  bench.join("alice");
  bench.join("guest", { grants });
  const longer = { ...ordinary, roomId: "elsewhere", expiresAtUnixMs: untilMs(3_600_000) };
  assert.ok(bench.command("guest", { case: "getSnapshot", value: {} }, { grants: longer }).ok);
  bench.handle({
    type: "presence",
    connections: [
      {
        $typeName: "parley.bus.v1.ConnectionAlive",
        appId: "app",
        connectionId: "guest",
        roomIds: ["room"],
        tokenExpiresAtUnixMs: longer.expiresAtUnixMs,
        tokenRoomId: "elsewhere",
      },
    ],
  });
  bench.advance(6_000);
  assert.equal(bench.valuesOf("guest", "removed")[0]?.error?.name, "token-expired");
});

test("who waits in the lobby and knocks again over other connections leaves nothing behind, and is not let in by that", () => {
  const bench = new RoomBench();
  bench.join("host");
  bench.command("host", { case: "updateRoom", value: { lobbyEnabled: true } });
  let last = bench.join("guest 0", { userId: "guest", grants: ordinary });
  for (let index = 1; index < 20; index += 1) {
    const join = { replacesParticipantId: last.participantId };
    last = bench.join(`guest ${index}`, { userId: "guest", grants: ordinary, join });
    assert.ok(last.waiting);
    assert.equal(bench.valuesOf(`guest ${index - 1}`, "removed")[0]?.error?.name, "replaced");
  }
  assert.equal(bench.host.participantCount, 2);
  const answer = bench.command("guest 0", { case: "getSnapshot", value: {} }, { userId: "guest", grants: ordinary });
  assert.equal(error(answer), "not-in-room");
  const stolen = bench.join("thief", { grants: ordinary, join: { replacesParticipantId: last.participantId } });
  assert.notEqual(stolen.participantId, last.participantId, "only its own user takes a place");
});

test("host commands, the mute of others, and another's session are not for participants", () => {
  const bench = new RoomBench();
  const host = bench.join("host");
  const streamId = bench.publish("host");
  bench.join("guest", { grants: ordinary });
  const as = (method: Method) => error(bench.command("guest", method, { grants: ordinary }));
  const { participantId } = host;
  const commands: object[] = [
    { case: "remove", value: { participantId, ban: true } },
    { case: "muteTrack", value: { streamId, mid: "0" } },
    { case: "muteTrack", value: { allAudio: true } },
    { case: "closeRoom", value: {} },
    { case: "admit", value: { participantIds: [participantId] } },
    { case: "setPermissions", value: { participantId, permissions: { moderate: true } } },
    { case: "askToUnmute", value: { participantId } },
  ];
  for (const command of commands) {
    assert.equal(as({ case: "moderate", value: { command } } as Method), "permission-denied");
  }
  const move = { case: "move" as const, value: { participantIds: [participantId], toRoomId: "x" } };
  assert.equal(as({ case: "moderate", value: { command: move } }), "permission-denied");
  assert.equal(as({ case: "setTrackMuted", value: { streamId, mid: "0", muted: true } }), "permission-denied");
  assert.equal(as({ case: "updateRoom", value: { locked: true } }), "permission-denied");
  assert.equal(as({ case: "restartIce", value: { session: "pub" } }), "session-not-found");
  assert.equal(as({ case: "updateSession", value: { session: "pub" } }), "session-not-found");
  assert.equal(as({ case: "bindSlots", value: { session: "pub" } }), "session-not-found");
  bench.receive("guest", undefined, "sub", { grants: ordinary });
  bench.join("other", { roomId: "elsewhere" });
  const foreign = bench.publish("other", "camera", undefined, { roomId: "elsewhere" });
  const bindings = [{ mid: "0", streamId: foreign }];
  const answer = bench.command(
    "guest",
    { case: "bindSlots", value: { session: "sub", bindings } },
    { grants: ordinary },
  );
  assert.ok(answer.ok && answer.response.result.case === "slots");
  assert.equal(answer.response.result.value.slots[0]?.error?.name, "stream-not-found");
});
