export * from "./gen/parley/bus/v1/session_pb.ts";
