import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  errorName,
  GrantsSchema,
  RoomCommandSchema,
  RoomRequestSchema,
  Source,
  type RoomRequest,
} from "@parley/protocol";
import { fuzzBudget, fuzzSeed, mutateBytes, SeededRandom } from "@parley/testing";
import { defaultRoomLimits } from "../src/index.ts";
import { audioVideo, everything, ordinary, publishing, receiving, RoomBench, type Method } from "./room-bench.ts";

const permissions = { publish: true, subscribe: true };

/** One valid request of each kind; `id` and `stream` are real or not, as it happens. */
function methods(id: string, stream: number): Method[] {
  const commands: Extract<Method, { case: "moderate" }>["value"][] = [
    { command: { case: "muteTrack", value: { streamId: stream, mid: "0" } } },
    { command: { case: "muteTrack", value: { allAudio: true } } },
    { command: { case: "askToUnmute", value: { participantId: id, source: Source.CAMERA } } },
    { command: { case: "remove", value: { participantId: id, reason: "x" } } },
    { command: { case: "admit", value: { participantIds: [id, id], deny: false } } },
    { command: { case: "admit", value: { participantIds: [id], deny: true } } },
    { command: { case: "setPermissions", value: { participantId: id, role: 3, permissions } } },
    { command: { case: "move", value: { participantIds: [id], toRoomId: "other" } } },
    { command: { case: "closeRoom", value: {} } },
  ];
  return [
    { case: "join", value: { name: "x", attributes: { a: "b" }, replacesParticipantId: id } },
    { case: "join", value: { leaveWithSession: true, sessions: [publishing("camera", audioVideo)] } },
    { case: "join", value: { sessions: [receiving(audioVideo)], kind: 3 } },
    { case: "leave", value: {} },
    { case: "getSnapshot", value: {} },
    { case: "openSession", value: publishing("camera", audioVideo) },
    { case: "openSession", value: { ...receiving(audioVideo), bindings: [{ mid: "0", streamName: "camera" }] } },
    { case: "updateSession", value: publishing("screen", audioVideo) },
    { case: "updateSession", value: receiving(audioVideo) },
    { case: "closeSession", value: { session: "pub" } },
    { case: "restartIce", value: { session: "sub", iceUfrag: "ufrag", icePassword: "password".repeat(3) } },
    {
      case: "bindSlots",
      value: { session: "sub", bindings: [{ mid: "1", streamId: stream }], speakers: { enabled: true, mids: ["0"] } },
    },
    { case: "setTrackMuted", value: { streamId: stream, mid: "0", muted: true } },
    { case: "updateSelf", value: { name: "y", attributes: { a: "", b: "c" }, handRaised: true } },
    { case: "updateRoom", value: { attributes: { t: "u" }, lobbyEnabled: true, locked: false } },
    { case: "updateRoom", value: { lobbyEnabled: false } },
    { case: "sendData", value: { payload: new Uint8Array(10), topic: "t", toParticipantIds: [id] } },
    ...commands.map((value): Method => ({ case: "moderate", value })),
  ];
}

type RequestInit = MessageInitShape<typeof RoomRequestSchema>;

function mutated(request: RoomRequest, random: SeededRandom): RoomRequest {
  try {
    return fromBinary(RoomRequestSchema, mutateBytes(toBinary(RoomRequestSchema, request), random));
  } catch {
    return request;
  }
}

test("[SIG-2] requests in any order from anybody in several rooms, whole or mutated: one answer each, and the rooms stay consistent", () => {
  const random = new SeededRandom(fuzzSeed(31));
  const more = fuzzBudget(40);
  const answers = new Map<string, number>();
  for (let round = 0; more(round); round += 1) {
    const bench = new RoomBench({ ...defaultRoomLimits, maxParticipants: 6, maxRooms: 3 }, round + 1);
    const ids = ["nobody"];
    const streams = [0, 12345];
    for (let step = 0; step < 120; step += 1) {
      const roomId = random.pick(["room", "room", "other", "room/a"]);
      const connectionId = `c${random.below(6)}`;
      const value: RequestInit = { roomId, method: random.pick(methods(random.pick(ids), random.pick(streams))) };
      const whole = create(RoomRequestSchema, value);
      const request = random.chance(0.3) ? mutated(whole, random) : whole;
      const grants = create(GrantsSchema, {
        ...(random.chance(0.5) ? everything : ordinary),
        roomId: random.chance(0.2) ? "room" : "",
      });
      const command = create(RoomCommandSchema, {
        appId: random.chance(0.95) ? "app" : "another",
        roomId: random.chance(0.98) ? roomId : random.pick(["", ">", "a\0b", "x".repeat(500)]),
        connectionId,
        requestId: BigInt(random.chance(0.9) ? step + 1 : random.below(step + 1)),
        userId: `u${random.below(3)}`,
        grants,
        request,
      });
      const outputs = bench.handle({ type: "command", command, replyTo: step });
      const replies = outputs.filter((output) => output.type === "reply" && output.replyTo === step);
      const waits = outputs.some(({ type }) => type === "transfer-request");
      assert.ok(replies.length === 1 || (replies.length === 0 && (waits || isMove(request))), "one answer");
      for (const output of outputs) {
        if (output.type === "reply") {
          const { result } = output.reply;
          if (result.case === "error") assert.notEqual(errorName(result.value.number), undefined);
          const name = result.case === "error" ? result.value.name : "ok";
          answers.set(name, (answers.get(name) ?? 0) + 1);
          if (result.case === "response" && result.value.result.case === "joined") {
            ids.push(result.value.result.value.participantId);
          }
          if (result.case === "response" && result.value.result.case === "session") {
            streams.push(...result.value.result.value.published.map(({ streamId }) => streamId));
          }
        } else if (output.type === "transfer-request" && random.chance(0.8)) {
          const { transfer } = output;
          const taken = bench.handle({ type: "transfer", transfer, replyTo: 900 });
          const reply = taken.find((one) => one.type === "transfer-reply")?.reply;
          const ended = bench.handle({ type: "transfer-answered", transferId: transfer.transferId, reply });
          const settled = ended.find((one) => one.type === "transfer-settled")?.settled;
          if (settled !== undefined && random.chance(0.8)) bench.handle({ type: "transfer-settled", settled });
        }
      }
      if (random.chance(0.1)) bench.advance(random.below(400), false);
      if (random.chance(0.02)) bench.handle({ type: "connection-gone", appId: "app", connectionId });
    }
    assert.ok(bench.host.roomCount <= 3);
    // Nobody announces anybody any more: everything is given back.
    bench.advance(5_000, false);
    assert.deepEqual([bench.host.roomCount, bench.host.participantCount, bench.host.sessionCount], [0, 0, 0]);
  }
  assert.ok(answers.size > 12, `answers of ${answers.size} kinds: ${JSON.stringify([...answers])}`);
});

function isMove({ method }: RoomRequest): boolean {
  return method.case === "moderate" && method.value.command.case === "move";
}
