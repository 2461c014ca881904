import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { err, ok, type Result } from "@parley/foundation";
import { RoomResponseSchema, type RoomCommand, type RoomResponse } from "@parley/protocol";
import { bindSlotsOf } from "./bindings.ts";
import { sendData } from "./data-messages.ts";
import type { Refusal } from "./io.ts";
import { join } from "./join.ts";
import { removeMember } from "./membership.ts";
import { moderate } from "./moderation.ts";
import { rememberLater } from "./remember.ts";
import { setTrackMuted, updateRoom, updateSelf } from "./self-updates.ts";
import { closeSession, openSession, restartIce, updateSession } from "./sessions.ts";
import { snapshotFor } from "./snapshot.ts";
import type { Member, RoomState } from "./state.ts";

type ResponseResult = NonNullable<MessageInitShape<typeof RoomResponseSchema>["result"]>;

/** Applies one command of a client to its room. */
export function runCommand(room: RoomState, command: RoomCommand, nowMs: number): Result<RoomResponse, Refusal> {
  const result = run(room, command, nowMs);
  return result.ok ? ok(create(RoomResponseSchema, { result: result.value })) : result;
}

const done: ResponseResult = { case: "done", value: {} };

function run(room: RoomState, command: RoomCommand, nowMs: number): Result<ResponseResult, Refusal> {
  const method = command.request?.method;
  const { grants, connectionId, userId, localIp } = command;
  if (method === undefined || method.case === undefined || grants === undefined) return err({ name: "bad-request" });
  if (method.case === "join") {
    return as("joined", join(room, { connectionId, userId, grants, localIp }, method.value, nowMs));
  }
  const member = room.byConnection.get(connectionId);
  if (member === undefined) return err({ name: "not-in-room" });
  takeGrants(room, member, command, nowMs);
  if (method.case === "leave") {
    removeMember(room, member, nowMs, "left");
    return ok(done);
  }
  if (member.waiting) return err({ name: "in-lobby" });
  switch (method.case) {
    case "getSnapshot":
      return ok({ case: "snapshot", value: snapshotFor(room, member) });
    case "openSession":
      return as("session", openSession(room, member, method.value, nowMs));
    case "updateSession":
      return as("session", updateSession(room, member, method.value));
    case "closeSession":
      return asDone(closeSession(room, member, method.value, nowMs));
    case "restartIce":
      return as("iceRestarted", restartIce(room, member, method.value));
    case "bindSlots": {
      const slots = bindSlotsOf(room, member, method.value, nowMs);
      return slots.ok ? ok({ case: "slots", value: { slots: slots.value } }) : slots;
    }
    case "setTrackMuted":
      return asDone(setTrackMuted(room, member, method.value));
    case "updateSelf":
      return asDone(updateSelf(room, member, method.value));
    case "updateRoom":
      return asDone(updateRoom(room, member, method.value));
    case "sendData":
      return asDone(sendData(room, member, method.value, nowMs));
    case "moderate":
      return asDone(moderate(room, member, method.value, nowMs));
  }
}

/** Its present token ends then (0: unknown, or never). A token for another room says nothing of how long its owner may be in this one. */
export function extendStay(room: RoomState, member: Member, expiresAtUnixMs: number, tokenRoomId: string): void {
  if (tokenRoomId !== "" && tokenRoomId !== member.grants.roomId) return;
  if (expiresAtUnixMs === 0 || expiresAtUnixMs === member.expiresAtUnixMs) return;
  member.expiresAtUnixMs = expiresAtUnixMs;
  room.nextLapseAtMs = 0;
  rememberLater(member.sessions.values());
}

/** A refreshed token extends the stay; its permissions hold from the next join on, hosts may have changed them since. */
function takeGrants(room: RoomState, member: Member, command: RoomCommand, nowMs: number): void {
  member.seenAtMs = nowMs;
  member.arrivedBy = undefined;
  if (command.localIp !== "" && command.localIp !== member.localIp) {
    member.localIp = command.localIp;
    rememberLater(member.sessions.values());
  }
  extendStay(room, member, Number(command.grants?.expiresAtUnixMs ?? 0n), command.grants?.roomId ?? "");
}

function as<C extends "joined" | "session" | "iceRestarted">(
  name: C,
  result: Result<Extract<ResponseResult, { case: C }>["value"], Refusal>,
): Result<ResponseResult, Refusal> {
  return result.ok ? ok({ case: name, value: result.value } as ResponseResult) : result;
}

function asDone(result: Result<undefined, Refusal>): Result<ResponseResult, Refusal> {
  return result.ok ? ok(done) : result;
}
