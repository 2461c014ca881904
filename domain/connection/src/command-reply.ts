import { fromBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { FenceValue } from "@parley/foundation";
import { ErrorSchema, FenceSchema, FieldCursor, RoomResponseSchema } from "@parley/protocol";
import type { CommandResult } from "./connection-io.ts";

/** A `parley.bus.v1.RoomCommandReply`, read only as far as the gateway needs; the response stays encoded. */
export interface CommandReply {
  readonly result: CommandResult;
  /** Whose word it is; absent: of a sender that has no fence. */
  readonly fence: FenceValue | undefined;
}

/** Undefined: not a reply. */
export function readCommandReply(payload: Uint8Array): CommandReply | undefined {
  try {
    const cursor = new FieldCursor(payload);
    let result: CommandResult | undefined;
    let fence: FenceValue | undefined;
    while (cursor.next()) {
      if (cursor.wireType !== WireType.LengthDelimited) continue;
      const content = payload.subarray(cursor.content, cursor.end);
      if (cursor.number === 1) result = { ok: false, error: fromBinary(ErrorSchema, content) };
      else if (cursor.number === 2) result = { ok: true, response: content };
      else if (cursor.number === 3) fence = fromBinary(FenceSchema, content);
    }
    return result === undefined ? undefined : { result, fence };
  } catch {
    return undefined;
  }
}

const joinedField = RoomResponseSchema.field.joined.number;

/** Whether an encoded `RoomResponse` says that the client is in the room now (or waits in its lobby). */
export function saysJoined(response: Uint8Array): boolean {
  const cursor = new FieldCursor(response);
  return cursor.next() && cursor.number === joinedField;
}
