import { create, fromBinary, fromJsonString, toBinary, toJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { ClientFrameSchema, ServerFrameSchema, type ServerFrame } from "@parley/protocol";

export type ClientFrameInit = MessageInitShape<typeof ClientFrameSchema>;

export interface FrameCodec {
  readonly subprotocol: string;
  encode(frame: ClientFrameInit): Uint8Array | string;
  /** Undefined: not a frame. */
  decode(data: Uint8Array | string): ServerFrame | undefined;
}

export const binaryCodec: FrameCodec = {
  subprotocol: "parley.v1.proto",
  encode: (frame) => toBinary(ClientFrameSchema, create(ClientFrameSchema, frame)),
  decode: (data) => attempt(() => (typeof data === "string" ? undefined : fromBinary(ServerFrameSchema, data))),
};

export const jsonCodec: FrameCodec = {
  subprotocol: "parley.v1.json",
  encode: (frame) => toJsonString(ClientFrameSchema, create(ClientFrameSchema, frame)),
  decode: (data) =>
    attempt(() =>
      typeof data === "string" ? fromJsonString(ServerFrameSchema, data, { ignoreUnknownFields: true }) : undefined,
    ),
};

function attempt(read: () => ServerFrame | undefined): ServerFrame | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
