import { create, fromBinary, fromJsonString, toJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { err, ok, type Result } from "@parley/foundation";
import {
  encodeMessage,
  ClientFrameSchema,
  ErrorSchema,
  errorTable,
  parleyError,
  ServerFrameSchema,
  type ClientFrame,
  type Error as WireError,
  type ParleyError,
} from "@parley/protocol";

/** The WebSocket subprotocols, best first. */
export const subprotocols = { "parley.v1.proto": "binary", "parley.v1.json": "json" } as const;
export type Encoding = (typeof subprotocols)[keyof typeof subprotocols];
export type Subprotocol = keyof typeof subprotocols;

/** The first of `offered` that we speak. */
export function chooseSubprotocol(offered: Iterable<string>): Subprotocol | undefined {
  for (const name of offered) if (Object.hasOwn(subprotocols, name)) return name as Subprotocol;
  return undefined;
}

/** Reads what one WebSocket message held. Unknown fields are ignored: newer clients have them. */
export function decodeClientFrame(data: Uint8Array | string, encoding: Encoding): Result<ClientFrame, ParleyError> {
  if ((typeof data === "string") !== (encoding === "json")) {
    return err(parleyError("bad-frame", `The subprotocol takes ${encoding === "json" ? "text" : "binary"} messages.`));
  }
  try {
    return ok(
      typeof data === "string"
        ? fromJsonString(ClientFrameSchema, data, { ignoreUnknownFields: true })
        : fromBinary(ClientFrameSchema, data, { readUnknownFields: false }),
    );
  } catch (error) {
    // The library's text may quote what it could not read, tokens included: only its length goes on.
    void error;
    return err(parleyError("bad-frame", `${data.length} ${typeof data === "string" ? "characters" : "bytes"}.`));
  }
}

export type ServerFrameInit = MessageInitShape<typeof ServerFrameSchema>;

export function encodeServerFrame(frame: ServerFrameInit): Uint8Array {
  return encodeMessage(ServerFrameSchema, create(ServerFrameSchema, frame));
}

const responseField = 3;
const requestIdField = 1;
const roomField = 3;
const eventField = 4;

/**
 * A server frame around an event that is already encoded: the event's bytes are the same for every receiver, only the sequence number
 * differs (field 1). Equal to encoding the whole frame.
 */
export function encodeEventFrame(seq: number, event: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  if (seq !== 0) writer.tag(1, WireType.Varint).uint64(seq);
  return writer.tag(eventField, WireType.LengthDelimited).bytes(event).finish();
}

/** A server frame around the answer of a room that is already encoded. Equal to encoding the whole frame. */
export function encodeResponseFrame(seq: number, requestId: number, response: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).uint64(seq).tag(responseField, WireType.LengthDelimited).fork();
  writer.tag(requestIdField, WireType.Varint).uint64(requestId);
  return writer.tag(roomField, WireType.LengthDelimited).bytes(response).join().finish();
}

/** The text form of an encoded server frame, for the JSON subprotocol. Debugging only: it costs a decode. */
export function serverFrameText(bytes: Uint8Array): string {
  return toJsonString(ServerFrameSchema, fromBinary(ServerFrameSchema, bytes));
}

/** An error of the table as clients get it. */
export function toWireError(error: ParleyError, retryAfterMs = 0): WireError {
  const { number, retry, text } = errorTable[error.name];
  return create(ErrorSchema, {
    number,
    name: error.name,
    message: error.detail === undefined ? text : `${text} ${error.detail}`,
    retryable: retry === "later" || retry === "changed",
    retryAfterMs,
  });
}
