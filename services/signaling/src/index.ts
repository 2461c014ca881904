export { createSignaling, type Signaling, type SignalingConfig, type SignalingDeps } from "./signaling.ts";
