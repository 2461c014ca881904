import { err, ok, type Result } from "@parley/foundation";
import type { SendData } from "@parley/protocol";
import { present, tell } from "./audience.ts";
import type { Refusal } from "./io.ts";
import type { Member, RoomState } from "./state.ts";

const maxTopicLength = 128;

/** Passes a message on to everybody else, or to some; a member that is not there (any more) is left out. */
export function sendData(
  room: RoomState,
  member: Member,
  request: SendData,
  nowMs: number,
): Result<undefined, Refusal> {
  if (!member.permissions.publishData) return err({ name: "permission-denied", detail: "Missing: publish_data." });
  const { payload, topic, reliable, toParticipantIds } = request;
  const { limits } = room.ports;
  if (payload.length > limits.maxDataBytes || topic.length > maxTopicLength) return err({ name: "data-too-large" });
  if (!takeCredit(room, member, nowMs)) {
    return err({ name: "rate-limited", retryAfterMs: Math.ceil(1000 / limits.dataMessagesPerSecond) });
  }
  const chosen = toParticipantIds.length === 0 ? undefined : new Set(toParticipantIds);
  const receivers = [...present(room)].filter(
    (other) => other !== member && (chosen?.has(other.participantId) ?? true),
  );
  tell(
    room,
    receivers,
    { case: "dataReceived", value: { payload, topic, reliable, fromParticipantId: member.participantId } },
    { lossy: !reliable },
  );
  return ok(undefined);
}

/** A token bucket: a steady rate, and a burst after a quiet while. */
function takeCredit(room: RoomState, member: Member, nowMs: number): boolean {
  const { dataMessagesPerSecond, dataMessageBurst } = room.ports.limits;
  const earned = ((nowMs - member.dataCreditAtMs) * dataMessagesPerSecond) / 1000;
  member.dataCredit = Math.min(dataMessageBurst, member.dataCredit + Math.max(0, earned));
  member.dataCreditAtMs = nowMs;
  if (member.dataCredit < 1) return false;
  member.dataCredit -= 1;
  return true;
}
