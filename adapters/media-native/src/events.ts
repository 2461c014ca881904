import type { MediaPlaneEvent, PathAddress, PeerHandle, SlotHandle, TrackHandle } from "@parley/domain-media-control";
import { PATH_ADDRESS_BYTES } from "@parley/domain-media-control";

// Numbers of native/include/parley/engine/events.h.
const STUN = 1;
const NOMINATED = 2;
const DTLS = 3;
const SSRC = 4;
const SLOT_STARTED = 5;
const PATH_CLOSED = 6;
const TRACK_ENDED = 7;

/** Reads one batch: records of a u32 length, a byte of type, and fields. The events' datagrams are views of `batch`. */
export function decodeEvents(batch: Uint8Array): MediaPlaneEvent[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const events: MediaPlaneEvent[] = [];
  let at = 0;
  while (at + 5 <= batch.length) {
    const end = at + 4 + view.getUint32(at, true);
    const event = decode(view, batch, at + 4, end);
    if (event !== undefined) events.push(event);
    at = end;
  }
  return events;
}

function decode(view: DataView, batch: Uint8Array, at: number, end: number): MediaPlaneEvent | undefined {
  const fields = at + 1;
  switch (view.getUint8(at)) {
    case STUN:
      return {
        type: "stun",
        address: readPath(batch, fields),
        datagram: batch.subarray(fields + PATH_ADDRESS_BYTES, end),
      };
    case NOMINATED:
      return { type: "nominated", peer: readHandle(view, fields) as PeerHandle, address: readPath(batch, fields + 8) };
    case DTLS:
      return {
        type: "dtls",
        peer: readHandle(view, fields) as PeerHandle,
        address: readPath(batch, fields + 8),
        datagram: batch.subarray(fields + 8 + PATH_ADDRESS_BYTES, end),
      };
    case SSRC:
      return {
        type: "ssrc",
        track: readHandle(view, fields) as TrackHandle,
        ssrc: view.getUint32(fields + 8, true),
        rid: Buffer.from(batch.subarray(fields + 12, end)).toString("latin1"),
      };
    case SLOT_STARTED:
      return {
        type: "slot-started",
        slot: readHandle(view, fields) as SlotHandle,
        track: readHandle(view, fields + 8) as TrackHandle,
      };
    case PATH_CLOSED:
      return {
        type: "path-closed",
        peer: readHandle(view, fields) as PeerHandle,
        address: readPath(batch, fields + 8),
      };
    case TRACK_ENDED:
      return { type: "track-ended", track: readHandle(view, fields) as TrackHandle };
    default:
      return undefined;
  }
}

/** Handles stay below 2^53. */
function readHandle(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** A copy: the control part keeps paths, and must not keep whole batches by them. */
function readPath(batch: Uint8Array, at: number): PathAddress {
  return Uint8Array.from(batch.subarray(at, at + PATH_ADDRESS_BYTES)) as PathAddress;
}
