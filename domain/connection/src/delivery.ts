import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { FenceValue } from "@parley/foundation";
import { FenceSchema, RoomEventSchema } from "@parley/protocol";

/** A `parley.bus.v1.RoomEventDelivery`, read only as far as the gateway needs; the event stays encoded. */
export interface Delivery {
  readonly appId: string;
  readonly event: Uint8Array;
  readonly lossy: boolean;
  /** With `lossy`: what it says all of; "": it may be dropped altogether. */
  readonly newestOf: string;
  /** Whose word it is; absent: of a sender that has no fence. */
  readonly fence: FenceValue | undefined;
  /** For whom, where it came for several; none: for the connection whose subject it came on. */
  readonly connectionIds: readonly string[];
  /** What the event means for the rooms of the connection. */
  readonly membership: MembershipChange | undefined;
}

export type MembershipChange =
  | { readonly type: "left"; readonly roomId: string }
  | { readonly type: "moved"; readonly roomId: string; readonly toRoomId: string };

/** Field numbers of RoomEvent.event that end or change a membership; everything else passes unread. */
const membershipFields = new Set([10, 12, 13, 14]);

/** Undefined: not a delivery. */
export function readDelivery(payload: Uint8Array): Delivery | undefined {
  try {
    const reader = new BinaryReader(payload);
    let appId = "";
    let event: Uint8Array | undefined;
    let lossy = false;
    let newestOf = "";
    let fence: FenceValue | undefined;
    const connectionIds: string[] = [];
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === WireType.LengthDelimited) appId = reader.string();
      else if (field === 2 && wireType === WireType.LengthDelimited) event = reader.bytes();
      else if (field === 3 && wireType === WireType.Varint) lossy = reader.bool();
      else if (field === 4 && wireType === WireType.LengthDelimited) fence = fromBinary(FenceSchema, reader.bytes());
      else if (field === 5 && wireType === WireType.LengthDelimited) connectionIds.push(reader.string());
      else if (field === 6 && wireType === WireType.LengthDelimited) newestOf = reader.string();
      else reader.skip(wireType, field);
    }
    return event === undefined
      ? undefined
      : { appId, event, lossy, newestOf, fence, connectionIds, membership: membershipOf(event) };
  } catch {
    return undefined;
  }
}

function membershipOf(bytes: Uint8Array): MembershipChange | undefined {
  const reader = new BinaryReader(bytes);
  let concerns = false;
  while (reader.pos < reader.len && !concerns) {
    const [field, wireType] = reader.tag();
    concerns = membershipFields.has(field);
    reader.skip(wireType, field);
  }
  if (!concerns) return undefined;
  const { roomId, event } = fromBinary(RoomEventSchema, bytes);
  switch (event.case) {
    case "roomClosed":
    case "removed":
      return { type: "left", roomId };
    case "admitted":
      return event.value.admitted ? undefined : { type: "left", roomId };
    case "moved":
      return { type: "moved", roomId, toRoomId: event.value.toRoomId };
    default:
      return undefined;
  }
}
