export { createSignaling, type Signaling, type SignalingConfig, type SignalingDeps } from "./signaling.ts";
export { defaultRoomLimits, type RoomLimits } from "@parley/domain-rooms";
