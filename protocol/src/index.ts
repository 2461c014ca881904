export * from "./errors/close-codes.ts";
export * from "./errors/error-table.ts";
export * from "./field-cursor.ts";
export * from "./gen/parley/bus/v1/access_pb.ts";
export * from "./gen/parley/bus/v1/fence_pb.ts";
export * from "./gen/parley/bus/v1/room_pb.ts";
export * from "./gen/parley/bus/v1/session_pb.ts";
export * from "./gen/parley/client/v1/connection_pb.ts";
export * from "./gen/parley/client/v1/room_pb.ts";
// Both packages have one; the bus's keeps the name, the client's is told apart.
export { SessionState, SessionStateSchema } from "./gen/parley/bus/v1/session_pb.ts";
export {
  SessionState as ClientSessionState,
  SessionStateSchema as ClientSessionStateSchema,
} from "./gen/parley/client/v1/room_pb.ts";
export { encodeMessage } from "./message-encoder.ts";
export { SuccessiveCodec, type Encoded } from "./successive-codec.ts";
