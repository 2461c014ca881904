export * from "./load-peers.ts";
export * from "./media-window.ts";
export * from "./offer.ts";
export * from "./process-usage.ts";
export * from "./server-process.ts";
export type { Sizing, SizingOptions } from "./sizing-run.ts";
export type { SizingStep, Verdict } from "./sizing.ts";
