import { Codec } from "@parley/protocol";
import { tell } from "./audience.ts";
import { codecName } from "./snapshot.ts";
import { canShow, slotsWanting, tracksFor } from "./slot-queries.ts";
import { codecsOf, type RoomState, type SlotState, type StreamState } from "./state.ts";

/** What everybody can encode, the cheaper first. */
const backupCodecs: readonly Codec[] = [Codec.VP8, Codec.H264];

/**
 * Asks the publisher for a track in another codec while somebody who wants the stream cannot decode its first track, and says when that is
 * over.
 */
export function requestBackups(room: RoomState, stream: StreamState): void {
  const wanted = wantedBackups(room, stream);
  for (const [key, asked] of stream.backupAsked) {
    if (wanted.has(key)) continue;
    stream.backupAsked.delete(key);
    tellPublisher(room, stream, asked, false);
  }
  for (const [key, backup] of wanted) {
    if (stream.backupAsked.has(key)) continue;
    stream.backupAsked.set(key, backup);
    tellPublisher(room, stream, backup, true);
  }
}

function wantedBackups(room: RoomState, stream: StreamState): Map<string, { mid: string; codec: string }> {
  const wanted = new Map<string, { mid: string; codec: string }>();
  const { session } = stream;
  if (session === undefined || !room.streams.has(stream.streamId)) return wanted;
  for (const slot of slotsWanting(room, stream)) {
    const first = tracksFor(slot, stream)[0];
    if (first === undefined || canShow(room, slot, session, first)) continue;
    const codec = backupFor(slot);
    if (codec !== undefined) wanted.set(`${first.mid} ${codec}`, { mid: first.mid, codec: codecName(codec) });
  }
  return wanted;
}

function backupFor(slot: SlotState): Codec | undefined {
  const payloadTypes = slot.session.grant.slots.find(({ mid }) => mid === slot.mid)?.payloadTypes ?? [];
  const codecs = codecsOf(slot.session.grant, payloadTypes).map(({ codec }) => codec);
  return backupCodecs.find((codec) => codecs.includes(codec));
}

function tellPublisher(
  room: RoomState,
  stream: StreamState,
  { mid, codec }: { readonly mid: string; readonly codec: string },
  wanted: boolean,
): void {
  tell(room, [stream.owner], { case: "codecWanted", value: { streamId: stream.streamId, mid, codec, wanted } });
}
