export { ParleyError, type ParleyErrorName, type SdkErrorName } from "./api/error.ts";
export type { Emitter } from "./api/emitter.ts";
export type * from "./api/client.ts";
export type * from "./api/options.ts";
export type * from "./api/participant.ts";
export type * from "./api/room.ts";
export * from "./api/room-events.ts";
export type * from "./api/stats.ts";
export type * from "./api/values.ts";
export { Client } from "./client.ts";
export { Room } from "./room.ts";
export {
  createLocalAudioTrack,
  createLocalScreenTracks,
  createLocalVideoTrack,
  getLocalDevices,
  onDevicesChanged,
} from "./devices.ts";
