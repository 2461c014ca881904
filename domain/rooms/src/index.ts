export type * from "./io.ts";
export * from "./limits.ts";
export type * from "./ports.ts";
export { wireError } from "./outbox.ts";
export { RoomHost } from "./room-host.ts";
